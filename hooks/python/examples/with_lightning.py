# SPDX-License-Identifier: Apache-2.0
"""Lightning, with compressed gradients: torchrun --nproc-per-node 2 with_lightning.py

A callback attaches where the training begins: the strategy has made the DistributedDataParallel by then. Added lines are
marked with <-.
"""

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import gradwire  # <-


class CompressGradients(lightning.Callback):  # <-
    def on_train_start(self, trainer, module):  # <-
        self.handle = gradwire.attach(trainer.strategy.model, method="ef", compressor="topk:5%")  # <-

    def on_train_end(self, trainer, module):  # <-
        self.ratio = self.handle.stats()["ratio"]  # <-
        self.handle.close()  # <-


class Classifier(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 10))
        self.losses = []

    def training_step(self, batch, _):
        images, labels = batch
        loss = nn.functional.cross_entropy(self.layers(images), labels)
        self.losses.append(loss.item())
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


lightning.seed_everything(0)
images = torch.randn(4096, 64)
labels = (images @ torch.randn(64, 10)).argmax(1)
loader = DataLoader(TensorDataset(images, labels), batch_size=32, shuffle=True)
compression = CompressGradients()  # <-
model = Classifier()
trainer = lightning.Trainer(
    accelerator="cpu", devices=2, strategy="ddp", max_epochs=1, logger=False, enable_checkpointing=False,
    enable_progress_bar=False, callbacks=[compression],  # <-
)  # fmt: skip
trainer.fit(model, loader)
if trainer.is_global_zero:
    for step in (1, 32, 64):
        print(f"step {step}: loss {model.losses[step - 1]:.3f}, ratio {compression.ratio:.3f}")
