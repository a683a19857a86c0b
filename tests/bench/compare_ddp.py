# SPDX-License-Identifier: Apache-2.0
"""images/s of `gradwire train` with method none against plain Python DDP: same model, batch, ranks and threads, in
alternating blocks of one run.

    .venv/bin/python tests/bench/compare_ddp.py            (the Python that has torch; after make build)
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BLOCKS = {"resnet8": 1, "resnet20": 3}


def gradwire(args, words):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([SOURCE / "build/gradwire", "train", SOURCE / "configs/cifar10_resnet20.yaml", "data.dataset=synthetic",
                        f"model.name={args.model}", f"data.batch_size={args.batch}", f"train.steps={2 * args.steps}",
                        f"log.every_steps={args.steps}", f"run.output_dir={folder}", *words],
                       check=True, capture_output=True, env=dict(os.environ, OMP_NUM_THREADS="1"))
        lines = [json.loads(line) for line in open(f"{folder}/metrics.jsonl")]
    return [line["imgs_per_s"] for line in lines if "imgs_per_s" in line][1]


def python_ddp(args, *words):
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29511",
                           SOURCE / "tests/bench/python_ddp.py", "--blocks", str(BLOCKS[args.model]), "--batch", str(args.batch),
                           "--steps", str(args.steps), *words],
                          check=True, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS="1"))
    return float(done.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="resnet20", choices=BLOCKS)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=15, help="timed steps a block, after as many that are not")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    sides = {
        "python DDP": lambda: python_ddp(args),
        "python DDP, channels_last images": lambda: python_ddp(args, "--channels-last"),
        "gradwire none": lambda: gradwire(args, ["comm.method=none", "comm.compressor=identity"]),
        "gradwire ef + sign": lambda: gradwire(args, ["comm.method=ef", "comm.compressor=sign"]),
    }
    rates = {name: [] for name in sides}
    for _ in range(args.rounds):
        for name, run in sides.items():
            rates[name].append(run())
    print(f"{args.model}, 2 ranks of 1 thread, batch {args.batch} a rank, {args.rounds} rounds of {args.steps} timed steps")
    for name, values in rates.items():
        ratios = [value / base for value, base in zip(values, rates["python DDP"])]
        print(f"{name:<34} {statistics.median(values):7.1f} images/s   ratio {statistics.median(ratios):.3f} "
              f"({min(ratios):.3f}-{max(ratios):.3f})")


main()
