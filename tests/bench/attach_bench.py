# SPDX-License-Identifier: Apache-2.0
"""What an exchange costs on Python's DDP, by either door, against DDP's own all-reduce and torch's own hooks, also on GPUs
(`gradwire bench exchange` measures the C++ door, at any rate):

    PYTHONPATH=build/python torchrun --nproc-per-node 2 tests/bench/attach_bench.py [--rounds 21] [--device cuda]

The gradients have ResNet-18's shapes (11.2 million float32) and cost next to nothing to compute. A floor is a C++ hook that
returns each bucket untouched; exchange = step - floor. Variants alternate round by round in one job; a figure is the median
over the rounds, a ratio the median of the rounds' ratios with its 95 % interval (order statistics). encode and decode are
the exchange's thread's, wire is the sum of its buckets' waits, for each step; in part they go on together, and while backward does. torch's own C++ hooks stand beside, since
what a hook as such costs (a pass that divides by n, which plain DDP does while it fills the bucket) is in gradwire's figures
too. Results are checked first: identity has plain DDP's bits, and replicas agree. With --device cuda plain DDP and the backend's other traffic go over NCCL;
ranks that share a GPU talk over sockets of the loopback there too.
"""

import argparse
import pathlib
import statistics
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import powerSGD_hook as torch_powersgd
from torch.nn.parallel import DistributedDataParallel

import gradwire
from gradwire import _C

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
from laws import take_gpu  # noqa: E402

SETTINGS = {
    "identity": dict(method="none"),
    "fp16": dict(method="dcgd", compressor="fp16"),
    "ef+sign": dict(method="ef", compressor="sign"),
    "ef+topk:1%": dict(method="ef", compressor="topk:1%"),
    "doublesqueeze+sign": dict(method="doublesqueeze", compressor="sign"),
    "powersgd rank 1": dict(method="powersgd", compressor="rank:1", min_compress_numel=0),
    "powersgd rank 4": dict(method="powersgd", compressor="rank:4", min_compress_numel=0),
}


def resnet18_shapes():
    yield from [(64, 3, 3, 3), (64,), (64,)]
    inputs = 64
    for planes, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for block in range(2):
            yield from [(planes, inputs, 3, 3), (planes,), (planes,), (planes, planes, 3, 3), (planes,), (planes,)]
            if block == 0 and stride == 2:
                yield from [(planes, inputs, 1, 1), (planes,), (planes,)]
            inputs = planes
    yield from [(10, 512), (10,)]


class Shapes(nn.Module):
    """Its gradient with respect to each parameter is a fixed random tensor: what is timed is the exchange."""

    def __init__(self, gradients):
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros_like(g) for g in gradients)
        self.gradients = gradients

    def forward(self, _):
        return torch.stack([(w * g).sum() for w, g in zip(self.weights, self.gradients)]).sum()


def make_ddp(gradients, cap, group=None):
    return DistributedDataParallel(Shapes(gradients), process_group=group, bucket_cap_mb=cap)


def make_variants(device, cap, wanted):
    generator = torch.Generator().manual_seed(dist.get_rank())
    gradients = [torch.randn(shape, generator=generator).to(device) for shape in resnet18_shapes()]
    assert sum(g.numel() for g in gradients) == 11_173_962
    ddps = {"plain DDP": make_ddp(gradients, cap), "floor": make_ddp(gradients, cap)}
    _C.install_floor(ddps["floor"].reducer)
    for name, hook in (("all-reduce", dist.BuiltinCommHookType.ALLREDUCE), ("fp16", dist.BuiltinCommHookType.FP16_COMPRESS)):
        if wanted(name := f"torch's hook, {name}"):
            ddps[name] = make_ddp(gradients, cap)
            ddps[name]._register_builtin_comm_hook(hook)
    for rank in (1, 4):  # over Gloo with one bucket only: with several, its all-reduces meet each other's
        if wanted(name := f"torch's hook, powersgd rank {rank}"):
            ddps[name] = make_ddp(gradients, cap)
            ddps[name].register_comm_hook(torch_powersgd.PowerSGDState(None, rank, start_powerSGD_iter=2), torch_powersgd.powerSGD_hook)
    for setting, words in SETTINGS.items():
        if wanted(name := f"attach, {setting}"):
            ddps[name] = make_ddp(gradients, cap)
            gradwire.attach(ddps[name], start_iter=0, **words)
        if wanted(name := f"backend, {setting}"):
            gradwire.configure(start_iter=0, **words)
            ddps[name] = make_ddp(gradients, cap, dist.new_group(backend="gradwire"))
            step(ddps[name])
    return ddps


def step(ddp):
    ddp.zero_grad()
    start = time.perf_counter()
    ddp(torch.zeros(1)).backward()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def busy(ddp):
    """ms so far: encode, wire, decode. None of another hook's."""
    handle = gradwire.handle_of(ddp)
    return [handle.stats()[key] for key in ("encode_ms", "wire_ms", "decode_ms")] if handle else []


def check(ddps):
    grads = {}
    for name, ddp in ddps.items():
        for _ in range(3):
            step(ddp)
        grads[name] = torch.cat([w.grad.flatten() for w in ddp.module.weights])
        if name != "floor":
            other = grads[name].clone()
            dist.broadcast(other, 0)
            assert torch.equal(other, grads[name]), f"{name}: replicas differ"
    for name in ("attach, identity", "backend, identity"):
        assert name not in grads or torch.equal(grads[name], grads["plain DDP"])


def interval(values):
    """Median, and order statistics around it that hold the true median with 95 %."""
    ordered, n = sorted(values), len(values)
    reach = 0.98 * n**0.5
    low, high = max(0, int(n / 2 - reach)), min(n - 1, int(n / 2 + reach))
    return statistics.median(ordered), ordered[low], ordered[high]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--steps", type=int, default=3, help="steps of each variant in a round")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", default="", help="variants whose name contains one of these texts, between semicolons; plain DDP and the floor always")
    parser.add_argument("--bucket-cap-mb", type=float, default=25, help="DDP's own default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.device == "cuda":
        take_gpu()
    dist.init_process_group("gloo" if arguments.device == "cpu" else "nccl")
    ddps = make_variants(arguments.device, arguments.bucket_cap_mb, lambda name: any(w in name for w in arguments.only.split(";")))
    check(ddps)
    seconds, before = {name: [] for name in ddps}, {name: busy(ddp) for name, ddp in ddps.items()}
    for _ in range(arguments.rounds):
        for name, ddp in ddps.items():
            dist.barrier()
            seconds[name].append(statistics.median(step(ddp) for _ in range(arguments.steps)))
    if dist.get_rank() == 0:
        steps = arguments.rounds * arguments.steps
        print(f"{dist.get_world_size()} ranks, {arguments.rounds} rounds of {arguments.steps} steps, {arguments.device}, buckets of {arguments.bucket_cap_mb:g} MB")
        print("| variant | step, ms | exchange, ms | exchange / plain DDP's (95 %) | encode, wire, decode, ms |\n|---|---|---|---|---|")
        exchange = {n: [s - f for s, f in zip(seconds[n], seconds["floor"])] for n in ddps}
        for name in ddps:
            ratio, low, high = interval([a / b for a, b in zip(exchange[name], exchange["plain DDP"])])
            print(f"| {name} | {1e3 * statistics.median(seconds[name]):.1f} | {1e3 * statistics.median(exchange[name]):.1f} | "
                  f"{ratio:.2f} ({low:.2f}-{high:.2f}) | {', '.join(f'{(b - a) / steps:.1f}' for a, b in zip(before[name], busy(ddps[name])))} |")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
