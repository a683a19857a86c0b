# SPDX-License-Identifier: Apache-2.0
"""A training job that can save and resume: `attach_job.py FOLDER [--steps N] [--save-at K] [--resume K] ...`.

Writes the bits of the weights to FOLDER/weights<rank>.txt.
"""

import argparse
import hashlib
import pathlib

import torch
import torch.distributed as dist

import gradwire
from laws import DEVICE, backward, join_group, make_ddp, residuals


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--method", default="ef")
    parser.add_argument("--compressor", default="topk:5%")
    parser.add_argument("--every", nargs="*", default=[], help="method,compressor one after another, in folders of their names")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--save-at", type=int, default=-1)
    parser.add_argument("--resume", type=int, default=-1)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--compare-mean", action="store_true")
    parser.add_argument("--save-at-once", action="store_true", help="after resuming, with the sums of what owners hold")
    parser.add_argument("--progress", action="store_true")
    return parser.parse_args()


def saved(args, step):
    return sorted(args.folder.glob(f"step{step}.rank*.pt"))


def resume(args, ddp, optimizer, handle):
    states = [torch.load(file) for file in saved(args, args.resume)]
    ddp.load_state_dict(states[0]["model"])
    optimizer.load_state_dict(states[0]["optimizer"])
    merged = gradwire.merge_state_dicts(state["gradwire"] for state in states)
    handle.load_state_dict(merged)
    if args.compare_mean:
        mine = residuals(handle)
        assert mine and any(e.abs().sum() > 0 for e in mine.values())
        for name, e in mine.items():
            old = [memory[name]["e"] for memory in merged["ranks"].values()]
            assert torch.allclose(e, sum(old) / len(old), atol=1e-7), name


def save_owners(args, ddp, optimizer, handle):
    dist.barrier()  # all have read the old files
    for file in saved(args, args.resume) if dist.get_rank() == 0 else []:
        file.unlink()
    dist.barrier()
    state = {"model": ddp.state_dict(), "optimizer": optimizer.state_dict(), "gradwire": handle.state_dict()}
    torch.save(state, args.folder / f"step{args.resume}.rank{dist.get_rank()}.pt")
    memory = state["gradwire"]["ranks"][str(dist.get_rank())]
    sums = torch.tensor([keys["down.e"].double().abs().sum() for _, keys in sorted(memory.items())], device=DEVICE)
    dist.all_reduce(sums)
    assert sums.min() > 0
    (args.folder / f"owners{dist.get_rank()}.txt").write_text(str(sums.tolist()))


def main():
    args = arguments()
    join_group("gloo")
    folder = args.folder
    for pair in args.every or [f"{args.method},{args.compressor}"]:
        args.method, args.compressor = pair.split(",")
        args.name = f"{args.method}." if args.every else ""
        args.folder = folder / args.method if args.every else folder
        args.folder.mkdir(exist_ok=True)
        train(args, folder)
    dist.destroy_process_group()


def train(args, results):
    ddp, rank = make_ddp(), dist.get_rank()
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05, momentum=0.9)
    handle = gradwire.attach(ddp, args.method, args.compressor, timeout_s=args.timeout)
    if args.resume >= 0:
        resume(args, ddp, optimizer, handle)
    if args.save_at_once:
        save_owners(args, ddp, optimizer, handle)
    for step in range(max(args.resume, 0), args.steps):
        backward(ddp, step)
        optimizer.step()
        if args.progress:
            print("step", step, flush=True)
        if step + 1 == args.save_at:
            state = {"model": ddp.state_dict(), "optimizer": optimizer.state_dict(), "gradwire": handle.state_dict()}
            torch.save(state, args.folder / f"step{step + 1}.rank{rank}.pt")
    digest = hashlib.sha256(b"".join(p.detach().cpu().numpy().tobytes() for p in ddp.parameters()))
    (results / f"{args.name}weights{rank}.txt").write_text(digest.hexdigest())
    handle.close()


if __name__ == "__main__":
    main()
