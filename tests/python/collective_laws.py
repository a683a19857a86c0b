# SPDX-License-Identifier: Apache-2.0
"""Laws of the collectives over the backend "gradwire": all are exact, while the gradients of a DDP in the same process are
compressed. backend_laws.py runs them."""

import datetime
import warnings

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import gradwire
from laws import DEVICE, TORCH, LeftOut, backward, batch, gradients, law, make_ddp, raises, residuals, same, train

BIG = 5000  # elements: above min_compress_numel
PLAIN = "gloo" if DEVICE.type == "cpu" else "nccl"


def plain_group():
    """A group to compare with. With TORCH_DISTRIBUTED_DEBUG=DETAIL a DDP over Gloo ends torch 2.14 itself with a
    segmentation fault (its Logger takes the debug wrapper for Gloo), so there the law is left out."""
    if dist.get_debug_level() == dist.DebugLevel.DETAIL:
        raise LeftOut("DDP over Gloo crashes torch in this debug mode")
    return dist.new_group(backend=PLAIN)


def need_functional_gathers():
    """The debug wrapper of torch before 2.14 has none, over Gloo either."""
    if dist.get_debug_level() == dist.DebugLevel.DETAIL and TORCH < (2, 14):
        raise LeftOut("torch's debug wrapper has no allgather_into_tensor_coalesced")


def mine(rank=None, numel=BIG):
    generator = torch.Generator().manual_seed(7 + (dist.get_rank() if rank is None else rank))
    return torch.randn(numel, generator=generator).to(DEVICE)


def all_of(numel=BIG):
    return [mine(rank, numel) for rank in range(dist.get_world_size())]


def total():
    """The sum in the order in which Gloo takes it: exact for small integers only, so compare those."""
    return sum(x.round() for x in all_of())


def compresses():
    """A DDP over the group, after some steps: its gradients went through the compressor."""
    ddp = make_ddp()
    train(ddp, 3)
    handle = gradwire.handle_of(ddp)
    assert handle is not None and "topk:5%" in handle.name
    assert any(e.abs().sum() > 0 for e in residuals(handle).values())
    return ddp


@law
def all_reduces_are_exact():
    compresses()
    x = mine().round()
    dist.all_reduce(x)
    assert torch.equal(x, total())
    y = mine().round()
    dist.all_reduce(y, async_op=True).wait()
    assert torch.equal(y, total())
    z = mine()
    dist.all_reduce(z, op=dist.ReduceOp.MAX)
    assert torch.equal(z, torch.stack(all_of()).amax(0))


INTEGERS = (torch.int64, torch.int32, torch.int8, torch.uint8)


def integers(dtype, rank=None, numel=60):
    """Whose sums over 2 and 3 ranks have remainders, are negative where the type has a sign, and overflow where it is small."""
    rank = dist.get_rank() if rank is None else rank
    x = torch.arange(numel, device=DEVICE) * (rank + 1) - 7 * rank * rank
    return (x % 256 if dtype == torch.uint8 else x - 2 * numel).to(dtype)


def integer_mean(dtype, numel=60):
    """NCCL's: the sum in the type itself, divided towards zero."""
    n = dist.get_world_size()
    total = sum(integers(dtype, rank, numel) for rank in range(n)).to(dtype)
    return torch.div(total.long(), n, rounding_mode="trunc").to(dtype)


def averages(dtype):
    """What each way of averaging gives, by its name, each time the mean of the same numbers."""
    import torch.distributed._functional_collectives as functional

    n, rank, op, group = dist.get_world_size(), dist.get_rank(), dist.ReduceOp.AVG, dist.group.WORLD
    x, y, z, w, u = (integers(dtype) for _ in range(5))
    dist.all_reduce(x, op=op)
    work = dist.all_reduce(y, op=op, async_op=True)
    work.wait()
    yield "all_reduce", x
    yield "async", y
    future = dist.all_reduce(w, op=op, async_op=True).get_future()
    yield "future", future.wait()[0]
    dist.all_reduce(u, op=op, group=dist.new_group(list(range(n))))
    yield "subgroup", u
    dist.reduce(z, dst=n - 1, op=op)
    yield "reduce", z if rank == n - 1 else integer_mean(dtype)
    pair = [integers(dtype), integers(dtype)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dist.all_reduce_coalesced(pair, op=op)
        yield "all_reduce_coalesced", pair[1]
        pair = [integers(dtype), integers(dtype)]
        with dist._coalescing_manager():
            for each in pair:
                dist.all_reduce(each, op=op)
        yield "_coalescing_manager", pair[1]
        parts = [torch.empty_like(x) for _ in range(2)]
        dist.reduce_scatter(parts[0], [integers(dtype) for _ in range(n)], op=op)
        dist.reduce_scatter_tensor(parts[1], integers(dtype).repeat(n), op=op)
        yield "reduce_scatter", parts[0]
        yield "reduce_scatter_tensor", parts[1]
        yield "functional all_reduce", functional.all_reduce(integers(dtype), "avg", group)
        yield "functional reduce_scatter", functional.reduce_scatter_tensor(integers(dtype).repeat(n), "avg", 0, group)
        yield "functional coalesced", functional.all_reduce_coalesced([integers(dtype)], "avg", group)[0]
        if dist.get_debug_level() != dist.DebugLevel.DETAIL or TORCH >= (2, 14):
            yield "functional scattered", functional.reduce_scatter_tensor_coalesced([integers(dtype).repeat(n)], "avg", [0], group)[0]


@law
def averages_of_integers_are_nccls():
    """The sum in the tensor's own type, divided towards zero. On a GPU NCCL itself is asked."""
    compresses()
    for dtype in INTEGERS:
        for way, mean in averages(dtype):
            assert mean.dtype == dtype and torch.equal(mean + 0, integer_mean(dtype)), f"{way} of {dtype}: {mean}, expected {integer_mean(dtype)}"
    assert (integer_mean(torch.int64) * dist.get_world_size() != sum(integers(torch.int64, rank) for rank in range(dist.get_world_size()))).any()
    assert (integer_mean(torch.int64) < 0).any()
    truth = torch.ones(4, dtype=torch.bool, device=DEVICE)
    raises(TypeError, ["AVG", "ool"], lambda: dist.all_reduce(truth, op=dist.ReduceOp.AVG))
    x = mine().round()
    dist.all_reduce(x, op=dist.ReduceOp.AVG)  # of floats they stay the inner backend's
    assert torch.allclose(x, total() / dist.get_world_size())


@law
def functional_collectives_are_exact():
    need_functional_gathers()
    import torch.distributed._functional_collectives as functional

    compresses()
    n, rank = dist.get_world_size(), dist.get_rank()
    group = dist.group.WORLD
    assert torch.equal(functional.all_reduce(mine().round(), "sum", group), total())
    assert torch.equal(functional.all_gather_tensor(mine(), 0, group), torch.cat(all_of()))
    shard = functional.reduce_scatter_tensor(mine().round().repeat(n), "sum", 0, group)
    assert torch.equal(shard, total())
    assert rank < n


@law
def objects_gathers_and_broadcasts_are_exact():
    compresses()
    n = dist.get_world_size()
    box = [{"epoch": 3, "tensor": mine(0).cpu()}] if dist.get_rank() == 0 else [None]
    dist.broadcast_object_list(box)
    assert box[0]["epoch"] == 3 and torch.equal(box[0]["tensor"], mine(0).cpu())
    seen = [None] * n
    dist.all_gather_object(seen, mine().tolist())
    assert seen == [x.tolist() for x in all_of()]
    gathered = [torch.empty(BIG, device=DEVICE) for _ in range(n)]
    dist.all_gather(gathered, mine())
    assert same(gathered, all_of())
    x = mine()
    dist.broadcast(x, src=n - 1)
    assert torch.equal(x, mine(n - 1))
    y = mine().round()
    dist.reduce(y, dst=0)
    assert dist.get_rank() != 0 or torch.equal(y, total())
    scattered = torch.empty(BIG, device=DEVICE)
    dist.scatter(scattered, all_of() if dist.get_rank() == 0 else None, src=0)
    assert torch.equal(scattered, mine())


@law
def sends_and_barriers_work():
    compresses()
    n, rank = dist.get_world_size(), dist.get_rank()
    for device in {torch.device("cpu"), DEVICE}:
        received = torch.empty(BIG, device=device)
        works = dist.batch_isend_irecv([dist.P2POp(dist.isend, mine().to(device), (rank + 1) % n), dist.P2POp(dist.irecv, received, (rank - 1) % n)])
        for work in works:
            work.wait()
        assert torch.equal(received, mine((rank - 1) % n).to(device))
    dist.barrier()
    dist.group.WORLD.monitored_barrier(datetime.timedelta(seconds=30), True)
    if TORCH >= (2, 14):  # older ones refuse the public call for all names but "gloo"
        dist.monitored_barrier()


@law
def batch_norm_buffers_are_rank_0s_bit_for_bit():
    torch.manual_seed(dist.get_rank())
    ddp = DistributedDataParallel(nn.Sequential(nn.Linear(32, 64), nn.BatchNorm1d(64), nn.Linear(64, 8)).to(DEVICE))
    for step in range(3):
        backward(ddp, step)
    with torch.no_grad():
        ddp(torch.zeros(4, 32, device=DEVICE))
    for buffer in ddp.buffers():
        others = [None] * dist.get_world_size()
        dist.all_gather_object(others, buffer.tolist())
        assert all(other == others[0] for other in others)


@law
def sync_batch_norm_is_exact():
    if DEVICE.type == "cpu":
        raise LeftOut("torch's SyncBatchNorm refuses tensors on the CPU, where this job has its own")
    compresses()
    results = []
    for group in (None, plain_group()):
        torch.manual_seed(0)
        plain = nn.Sequential(nn.Linear(32, BIG), nn.BatchNorm1d(BIG)).to(DEVICE)
        model = nn.SyncBatchNorm.convert_sync_batchnorm(plain, group)
        output = model(batch(0))
        output.pow(3).mean().backward()
        results.append([output.detach(), *model.buffers(), *gradients(model)])
    assert same(*results)
    everything = torch.cat([model[0](batch(0, rank)) for rank in range(dist.get_world_size())])
    assert torch.allclose(model[1].running_mean, 0.1 * everything.mean(0), atol=1e-6)
