# SPDX-License-Identifier: Apache-2.0
"""Plain PyTorch DDP on the trainer's model: the other side of compare_ddp.py. Started by torch.distributed.run; rank 0
prints images/s of all ranks together over the timed steps."""
import argparse
import pathlib
import sys
import time

import torch
import torch.distributed as dist
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from resnet import ResNet  # noqa: E402


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--blocks", type=int, required=True, help="basic blocks in each of the three stages")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True, help="timed steps, after as many that are not")
    parser.add_argument("--channels-last", action="store_true", help="images in the layout that the trainer uses")
    args = parser.parse_args()
    dist.init_process_group("gloo")
    torch.manual_seed(dist.get_rank())
    model = nn.parallel.DistributedDataParallel(ResNet([16, 32, 64], args.blocks))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    images, labels = torch.randn(args.batch, 3, 32, 32), torch.randint(10, (args.batch,))
    if args.channels_last:
        images = images.to(memory_format=torch.channels_last)
    for step in range(2 * args.steps):
        if step == args.steps:
            dist.barrier()
            begin = time.perf_counter()
        optimizer.zero_grad()
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        loss.item(), (logits.argmax(1) == labels).sum().item()  # the trainer's statistics
    dist.barrier()
    if dist.get_rank() == 0:
        print(args.batch * dist.get_world_size() * args.steps / (time.perf_counter() - begin))
    dist.destroy_process_group()


main()
