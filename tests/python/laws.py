# SPDX-License-Identifier: Apache-2.0
"""What the files of laws share: a law is a function that every rank of a torchrun calls, `<file>.py RESULTS_FOLDER [LAW...]`.

A rank writes what failed, by law, to RESULTS_FOLDER/<rank>.json, which torchrun.py reads. LAWS_DEVICE (cpu or cuda) says where
models and tensors are, LAWS_BACKEND which process group there is.
"""

import datetime
import faulthandler
import gc
import json
import os
import pathlib
import signal
import sys
import time
import traceback

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

DEVICE = torch.device(os.environ.get("LAWS_DEVICE", "cpu"))
TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])
LAWS = {}
_STUCK_S = 240  # then a rank ends, with the stack of each of its threads; torchrun.py waits a little longer


class LeftOut(Exception):
    """A law that this job cannot be asked about, for the reason that it gives."""


def law(function):
    LAWS[function.__name__] = function
    return function


def make_model(seed=0, width=64, dtype=torch.float32):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 8)).to(DEVICE, dtype)


def make_ddp(model=None, **options):
    return DistributedDataParallel(make_model() if model is None else model, bucket_cap_mb=0.01, **options)


def batch(step, rank=None, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1000 * step + (dist.get_rank() if rank is None else rank))
    return torch.randn(16, 32, generator=generator).to(DEVICE, dtype)


def backward(ddp, step, dtype=torch.float32, scale=1.0):
    ddp.zero_grad()
    (ddp(batch(step, dtype=dtype)).square().mean() * scale).backward()


def train(ddp, steps, lr=0.05, first=0):
    for step in range(first, first + steps):
        backward(ddp, step)
        with torch.no_grad():
            for parameter in ddp.parameters():
                parameter -= lr * parameter.grad


class Words(nn.Module):
    """With a sparse gradient; `words` are its input."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.end = nn.Embedding(50, 32, sparse=True), nn.Linear(32, 64)

    def forward(self, x):
        return self.end(self.table(x)).square().mean()


def words(step):
    return torch.arange(12).mul(3 + step + dist.get_rank()).remainder(50).to(DEVICE)


def gradients(ddp):
    return [p.grad.clone() for p in ddp.parameters()]


def residuals(handle):
    return {name: keys["e"] for name, keys in handle.state_dict()["ranks"][str(dist.get_rank())].items() if "e" in keys}


def same(a, b):
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b))


def same_residuals(a, b):
    return a.keys() == b.keys() and same(a.values(), b.values())


def raises(kind, words, call):
    try:
        call()
    except kind as error:
        missing = [word for word in words if word not in str(error)]
        assert not missing, f"{missing} not in: {error}"
        return
    raise AssertionError(f"expected {kind.__name__}")


class Uncaught(BaseException):
    """What laws do not catch, in a child that dies of it."""


def fork(leave):
    """The exit code of a child that calls `leave`, less than 0 for a signal. None where it takes too long."""
    faulthandler.cancel_dump_traceback_later()  # a child would wait for its thread
    child = os.fork()
    if child == 0:
        gc.collect()
        try:
            leave()
        except Exception:
            traceback.print_exc()
            os._exit(9)
        os._exit(0)
    faulthandler.dump_traceback_later(_STUCK_S, exit=True)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def train_scaled(ddp, scaler, optimizer, steps, infinite_at=()):
    """A loop with a GradScaler; in some steps the last rank's gradient of the first layer, in the last bucket, overflows."""
    for step in range(steps):
        optimizer.zero_grad()
        poison = None
        if step in infinite_at and dist.get_rank() == dist.get_world_size() - 1:
            poison = ddp.module[0].weight.register_hook(lambda g: torch.full_like(g, float("inf")))
        scaler.scale(ddp(batch(step)).square().mean()).backward()
        if poison:
            poison.remove()
        scaler.step(optimizer)
        scaler.update()


def take_gpu():
    """This rank's. Where ranks have to share one, NCCL takes them for two of one machine's on one GPU, which it refuses, unless
    each says that it is a machine of its own; they then talk over sockets."""
    local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    torch.cuda.set_device(local % gpus)
    if int(os.environ["LOCAL_WORLD_SIZE"]) > gpus:
        os.environ.update(NCCL_HOSTID=f"rank{local}", NCCL_SOCKET_IFNAME="lo")


def join_group(backend, **options):
    if DEVICE.type == "cuda":
        take_gpu()
    dist.init_process_group(os.environ.get("LAWS_BACKEND", backend), **options)


def run(backend):
    """Every law that was registered, or those that the command line names; what failed goes to a file for each rank."""
    faulthandler.dump_traceback_later(_STUCK_S, exit=True)
    join_group(backend, timeout=datetime.timedelta(seconds=_STUCK_S / 2))
    failures, seconds = {}, {}
    for name in sys.argv[2:] or LAWS:
        start = time.monotonic()
        try:
            LAWS[name]()
            failures[name] = ""
        except LeftOut as reason:
            failures[name] = f"left out: {reason}"
        except Exception:
            failures[name] = traceback.format_exc()
        seconds[name] = round(time.monotonic() - start, 2)
        dist.barrier()
    pathlib.Path(sys.argv[1], f"{dist.get_rank()}.json").write_text(json.dumps({"failures": failures, "seconds": seconds}))
    dist.destroy_process_group()
    faulthandler.cancel_dump_traceback_later()
