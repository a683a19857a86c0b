# SPDX-License-Identifier: Apache-2.0
"""Hugging Face accelerate, with compressed gradients: torchrun --nproc-per-node 2 with_accelerate.py

Attach after prepare(), which makes the DistributedDataParallel. Added lines are marked with <-.
"""

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import gradwire  # <-

accelerator = Accelerator(cpu=True)
torch.manual_seed(0)
images = torch.randn(4096, 64)
labels = (images @ torch.randn(64, 10)).argmax(1)
model = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
loader = DataLoader(TensorDataset(images, labels), batch_size=32, shuffle=True)
model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
handle = gradwire.attach(model, method="ef", compressor="topk:5%")  # <-

for step, (batch, targets) in enumerate(loader):
    loss = nn.functional.cross_entropy(model(batch), targets)
    optimizer.zero_grad()
    accelerator.backward(loss)
    optimizer.step()
    if step % 21 == 0:
        accelerator.print(f"step {step}: loss {loss.item():.3f}, ratio {handle.stats()['ratio']:.3f}")  # <-

handle.close()  # <-
accelerator.end_training()
