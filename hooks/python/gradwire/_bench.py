# SPDX-License-Identifier: Apache-2.0
"""`python -m gradwire bench`: what `gradwire bench` measures, with Python's DistributedDataParallel and `attach`.

Words, processes, rounds, statistics and reports are the C++ program's own; here is what a rank is made of.
"""

import datetime
import signal
import sys

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import gradwire
from gradwire import _C

_BATCHES = 3  # gradients that take turns, as in train/bench_ranks


class _Shapes(nn.Module):
    """Its gradient with respect to each parameter is the tensor that it is called with: what is timed is the exchange."""

    def __init__(self, like: list[torch.Tensor]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros_like(g) for g in like)

    def forward(self, gradients: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack([torch.dot(w.flatten(), g.flatten()) for w, g in zip(self.weights, gradients)]).sum()


class _Variant:
    def __init__(self, kind: str, settings: list[tuple[str, str]], batches: list[list[torch.Tensor]]) -> None:
        comm = dict(settings)
        cap = float(comm.pop("bucket_cap_mb", 25))
        timeout_s = float(comm.pop("timeout_s", 300))
        self._batches, self._next, self._handle = batches, 0, None
        self._ddp = DistributedDataParallel(_Shapes(batches[0]), bucket_cap_mb=cap, gradient_as_bucket_view=True)
        if kind == "floor":
            _C.install_floor(self._ddp.reducer)
        elif kind == "gradwire":
            self._handle = gradwire.attach(self._ddp, start_iter=int(comm.pop("start_iter", 0)), timeout_s=timeout_s, **comm)

    def step(self) -> None:
        self._ddp.zero_grad()
        self._ddp(self._batches[self._next % _BATCHES]).backward()
        self._next += 1

    def cost(self) -> tuple[float, float, float, int]:
        """Seconds so far of encoding, waiting and decoding, and bytes."""
        if self._handle is None:
            return 0, 0, 0, 0
        stats = self._handle.stats()
        return stats["encode_ms"] / 1e3, stats["wire_ms"] / 1e3, stats["decode_ms"] / 1e3, stats["bytes"]

    def fingerprint(self) -> int:
        bits = torch.cat([w.grad.flatten() for w in self._ddp.module.weights]).view(torch.int32).long()
        return int((bits * torch.arange(1, len(bits) + 1)).sum())


class _Rank:
    def __init__(self, shapes: list[list[int]], variants: list[tuple[str, list[tuple[str, str]]]], timeout_s: float) -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C is the launcher's to speak of
        dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=timeout_s))
        self.group = dist.group.WORLD
        generator = torch.Generator().manual_seed(dist.get_rank())
        batches = [[torch.randn(shape, generator=generator) for shape in shapes] for _ in range(_BATCHES)]
        self.variants = [_Variant(kind, settings, batches) for kind, settings in variants]

    def close(self) -> None:
        self.variants.clear()
        dist.barrier()
        dist.destroy_process_group()


def _serve_store() -> dist.TCPStore:
    return dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def _shapes_in(path: str) -> list[tuple[str, list[int], int]]:
    """Name, shape and bytes of the floating tensors of a file by torch.save(model.state_dict(), path)."""
    try:
        state = torch.load(path, map_location="meta", weights_only=True)
        found = [(name, list(t.shape), t.nbytes) for name, t in state.items() if t.is_floating_point() and t.numel() > 0]
    except Exception as error:  # whatever torch.load makes of the file
        raise _C.ConfigError(f"bench advise: --model {path}: no state_dict: {error}; expected a file written by torch.save(model.state_dict(), path)") from error
    if not found:
        raise _C.ConfigError(f"bench advise: --model {path}: has no floating tensor")
    return found


def main(words: list[str]) -> int:
    """`words`: those of the command line, from "bench" on. Returns the exit code."""
    return _C.bench(words, [sys.executable, "-m", "gradwire", *words], _serve_store, _Rank, _shapes_in)
