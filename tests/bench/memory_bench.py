# SPDX-License-Identifier: Apache-2.0
"""What gradwire.attach adds to the memory of a rank, as the peak of its resident memory beside plain DDP's:

    PYTHONPATH=build/python python tests/bench/memory_bench.py [--rounds 5] [--ranks 2]

The gradients have ResNet-18's shapes (11.2 million float32, 44.7 MB: a vector) in DDP's buckets of 25 MiB. Every measurement has
processes of its own, since a peak is of a process; the variants alternate, and a figure is the median over the rounds of rank 0's
peak less plain DDP's of the same round. Allowed are the vectors that the links keep and two buckets. The exit code is 1 where a
variant takes more. Replicas are compared first.
"""

import argparse
import os
import statistics
import subprocess
import sys

import torch
import torch.distributed as dist

import gradwire
from attach_bench import make_ddp, resnet18_shapes

NUMEL = 11_173_962
VECTOR_MB = NUMEL * 4 / 1e6
BUCKET_MB = 25 * 2**20 / 1e6
# Settings, and how many vectors their links keep: e, h, the mean of h, and e of the way back.
VARIANTS = {
    "plain DDP": (None, 0),
    "none": (dict(method="none"), 0),
    "dcgd + fp16": (dict(method="dcgd", compressor="fp16"), 0),
    "dcgd + qsgd:7": (dict(method="dcgd", compressor="qsgd:7"), 0),
    "ef + sign": (dict(method="ef", compressor="sign"), 1),
    "ef + topk:1%": (dict(method="ef", compressor="topk:1%"), 1),
    "ef + sign, under AMP": (dict(method="ef", compressor="sign"), 2),
    "ef21 + topk:1%": (dict(method="ef21", compressor="topk:1%"), 2),
    "diana + qsgd:7": (dict(method="diana", compressor="qsgd:7"), 2),
    "econtrol + topk:1%": (dict(method="econtrol", compressor="topk:1%"), 3),
    "doublesqueeze + sign": (dict(method="doublesqueeze", compressor="sign"), 2),
}
STEPS = 6


def measure(name):
    """As a rank: prints the peak in MB where it is rank 0."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    generator = torch.Generator().manual_seed(dist.get_rank())
    ddp = make_ddp([torch.randn(shape, generator=generator) for shape in resnet18_shapes()], 25)
    settings = VARIANTS[name][0]
    if settings is not None:
        scaler = dict(grad_scaler=torch.amp.GradScaler("cpu", init_scale=1.0)) if "AMP" in name else {}
        handle = gradwire.attach(ddp, start_iter=0, **settings, **scaler)
    for _ in range(STEPS):
        ddp.zero_grad()
        ddp(torch.zeros(1)).backward()
    sums = torch.stack([w.grad.double().sum() for w in ddp.module.weights])
    others = sums.clone()
    dist.broadcast(others, 0)
    assert torch.equal(sums, others), f"{name}: replicas differ"
    if dist.get_rank() == 0:
        with open("/proc/self/status") as status:
            print("peak", int(next(line for line in status if line.startswith("VmHWM")).split()[1]) * 1024 / 1e6)
    if settings is not None:
        handle.close()
    dist.destroy_process_group()


def peak(name, ranks):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", __file__, "--measure", name]
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=f"{os.path.dirname(__file__)}:{os.environ.get('PYTHONPATH', '')}")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    lines = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("peak ")]
    if done.returncode != 0 or len(lines) != 1:
        sys.exit(f"{name}: {done.stderr}")
    return float(lines[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", help="as a rank, for the script itself")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--only", default="", help="variants whose name contains one of these texts, between semicolons")
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(arguments.measure)
    names = [name for name in VARIANTS if name == "plain DDP" or any(word in name for word in arguments.only.split(";"))]
    more = {name: [] for name in names}
    for _ in range(arguments.rounds):
        peaks = {name: peak(name, arguments.ranks) for name in names}
        for name in names:
            more[name].append(peaks[name] - peaks["plain DDP"])
    missed = False
    print(f"{arguments.ranks} ranks, a vector is {VECTOR_MB:.1f} MB, a bucket {BUCKET_MB:.1f}\n\n| | more than plain DDP, MB (range) | allowed |\n|---|---|---|")
    for name in names[1:]:
        allowed = VARIANTS[name][1] * VECTOR_MB + 2 * BUCKET_MB
        missed |= statistics.median(more[name]) > allowed
        print(f"| {name} | {statistics.median(more[name]):.1f} ({min(more[name]):.1f} to {max(more[name]):.1f}) | {allowed:.1f} |")
    sys.exit(missed)


if __name__ == "__main__":
    main()
