# SPDX-License-Identifier: Apache-2.0
"""DistributedDataParallel, with compressed gradients: torchrun --nproc-per-node 2 plain_ddp.py

Lines that were added to an ordinary script are marked with <-.
"""

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import gradwire  # <-

dist.init_process_group("gloo")
torch.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10)))
handle = gradwire.attach(model, method="ef", compressor="topk:5%")  # <-
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
teacher = torch.randn(64, 10, generator=torch.Generator().manual_seed(1))
generator = torch.Generator().manual_seed(2 + dist.get_rank())

for step in range(100):
    images = torch.randn(32, 64, generator=generator)
    loss = nn.functional.cross_entropy(model(images), (images @ teacher).argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if dist.get_rank() == 0 and step % 33 == 0:
        print(f"step {step}: loss {loss.item():.3f}, ratio {handle.stats()['ratio']:.3f}")  # <-

# What was left out belongs in the checkpoint, a file for each rank:  <-
torch.save({"model": model.state_dict(), "gradwire": handle.state_dict()}, f"plain_ddp.rank{dist.get_rank()}.pt")  # <-
handle.close()  # <-
dist.destroy_process_group()
