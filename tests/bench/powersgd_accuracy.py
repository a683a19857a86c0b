# SPDX-License-Identifier: Apache-2.0
"""What a network learns with PowerSGD, by torch's own hook and by gradwire's, on Python's DDP:

    PYTHONPATH=build/python torchrun --nproc-per-node 2 tests/bench/powersgd_accuracy.py --data FOLDER [--epochs 15]

ResNet-20 on the images of FOLDER/*.bin (CIFAR-10's binary version; files with "test" in their names are for testing), three
seeds, each with the same first weights, batches and augmentation for all: dense, torch's hook and gradwire.attach. One bucket,
since torch's hook aborts over Gloo with several. Prints a line for each run: test accuracy, bytes that a rank sent a step, seconds.
"""

import argparse
import pathlib
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import powerSGD_hook as torch_powersgd
from torch.nn.parallel import DistributedDataParallel

import gradwire

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from resnet import ResNet  # noqa: E402

MEAN, STD = torch.tensor([125.3, 123.0, 113.9]).view(3, 1, 1), torch.tensor([63.0, 62.1, 66.7]).view(3, 1, 1)


def read(files):
    records = torch.cat([torch.frombuffer(bytearray(f.read_bytes()), dtype=torch.uint8).view(-1, 3073) for f in files])
    return (records[:, 1:].view(-1, 3, 32, 32).float() - MEAN) / STD, records[:, 0].long()


def augmented(images, generator):
    """Each image shifted by up to 4 pixels over a border of zeros, half of them mirrored."""
    padded = nn.functional.pad(images, (4, 4, 4, 4))
    at = torch.randint(9, (len(images), 2), generator=generator)
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    crops = torch.stack([image[:, y : y + 32, x : x + 32] for image, (y, x) in zip(padded, at.tolist())])
    return torch.where(mirrored.view(-1, 1, 1, 1), crops.flip(3), crops)


def attach(ddp, hook, rank, start):
    """Returns what gives the bytes that this rank has sent."""
    if hook == "gradwire":
        handle = gradwire.attach(ddp, "powersgd", f"rank:{rank}", min_compress_numel=0, start_iter=start)
        return lambda: handle.stats()["bytes"]
    if hook == "dense":
        return lambda: 0
    state = torch_powersgd.PowerSGDState(None, rank, start_powerSGD_iter=start)
    ddp.register_comm_hook(state, torch_powersgd.powerSGD_hook)
    ring = 2 * (dist.get_world_size() - 1) / dist.get_world_size()
    return lambda: int(4 * ring * state.total_numel_after_compression)


def train(hook, seed, train_set, test_set, args):
    torch.manual_seed(seed)
    ddp = DistributedDataParallel(ResNet([16, 32, 64], 3))
    steps = len(train_set[0]) // (args.batch * dist.get_world_size())
    sent = attach(ddp, hook, args.rank, args.start)
    optimizer = torch.optim.SGD(ddp.parameters(), lr=args.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=steps * args.epochs, pct_start=0.3)
    own = torch.Generator().manual_seed(1000 * seed + dist.get_rank())
    common, begin = torch.Generator().manual_seed(seed), time.perf_counter()
    for _ in range(args.epochs):
        order = torch.randperm(len(train_set[0]), generator=common)[dist.get_rank() :: dist.get_world_size()]
        for step in range(steps):
            batch = order[step * args.batch : (step + 1) * args.batch]
            optimizer.zero_grad()
            nn.functional.cross_entropy(ddp(augmented(train_set[0][batch], own)), train_set[1][batch]).backward()
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - begin
    ddp.eval()
    with torch.no_grad():
        right = sum((ddp.module(x).argmax(1) == y).sum().item() for x, y in zip(test_set[0].split(500), test_set[1].split(500)))
    if dist.get_rank() == 0:
        print(f"{hook} seed {seed}: {100 * right / len(test_set[0]):.2f} %, {sent() / (steps * args.epochs):.0f} bytes a step, {seconds:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--batch", type=int, default=32, help="images a rank and step")
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--rank", type=int, default=2, help="of the factors")
    parser.add_argument("--start", type=int, default=10, help="dense steps at first")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hooks", default="dense,torch,gradwire")
    args = parser.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    files = sorted(args.data.glob("*.bin"))
    train_set, test_set = (read([f for f in files if ("test" in f.name) == is_test]) for is_test in (False, True))
    for seed in range(1, args.seeds + 1):
        for hook in args.hooks.split(","):
            train(hook, seed, train_set, test_set, args)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
