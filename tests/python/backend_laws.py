# SPDX-License-Identifier: Apache-2.0
"""Laws of init_process_group("gradwire"). Run as laws.py says, in an environment that says compressor topk:5% from step 0.

Everything but DDP's gradients is exact, while the gradients of a DDP in the same process are compressed.
"""

import contextlib
import copy
import datetime
import os
import pathlib
import pickle
import sys
import warnings
from unittest import mock

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import gradwire
from laws import DEVICE, TORCH, LeftOut, Words, backward, batch, fork, gradients, law, make_ddp, make_model, raises, residuals, run, same, same_residuals, train, train_scaled, words

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
def ddp_gradients_are_compressed_as_attach_does_it():
    over = compresses()
    plain = plain_group()
    beside = make_ddp(process_group=plain)
    with gradwire.attach(beside, "ef", "topk:5%", start_iter=0):
        train(beside, 3)
    assert same(list(over.parameters()), list(beside.parameters()))
    assert gradwire.handle_of(make_ddp(process_group=plain)) is None


@law
def a_ddp_that_cannot_be_attached_never_runs_without_it():
    ddp = DistributedDataParallel(nn.Linear(4, 4).to(DEVICE, torch.complex64))
    for _ in range(2):
        raises(gradwire.ConfigError, ["complex64"], lambda: ddp(torch.zeros(2, 4, dtype=torch.complex64, device=DEVICE)))


@law
def a_forward_that_no_backward_follows_waits_for_nobody():
    """Rank 0 evaluates, or prints a summary, while the others are in a barrier."""
    quiet = {
        "no_grad": torch.no_grad, "inference_mode": torch.inference_mode, "set_grad_enabled": lambda: torch.set_grad_enabled(False),
        "compiled": torch.no_grad, "no_sync": None, "frozen": contextlib.nullcontext,
    }  # fmt: skip
    with mock.patch.dict(os.environ, GRADWIRE_TIMEOUT_S="20"):
        for name, context in quiet.items():
            ddp = DistributedDataParallel(make_model())
            call = torch.compile(ddp, backend="aot_eager") if name == "compiled" else ddp
            if dist.get_rank() == 0:
                ddp.requires_grad_(name != "frozen")
                with context() if context else ddp.no_sync():
                    call(batch(0))
                    ddp.eval()(batch(0))
            dist.barrier()
            assert gradwire.handle_of(ddp) is None, name
            ddp.requires_grad_(True).eval()
            train(ddp, 2)
            handle = gradwire.handle_of(ddp)
            assert handle is not None and any(e.abs().sum() > 0 for e in residuals(handle).values()), f"{name}: a model in eval mode trains too"


@law
def copies_are_attached_at_their_own_first_forward_like_any_other():
    for steps in (0, 3):
        ddp, control = make_ddp(), make_ddp()
        for one in (ddp, control):
            train(one, steps)
        assert b"gradwire" not in pickle.dumps(ddp)
        fresh = make_ddp(copy.deepcopy(ddp.module))
        copies = [copy.deepcopy(ddp), pickle.loads(pickle.dumps(ddp))]
        for one in (fresh, *copies):
            assert gradwire.handle_of(one) is None
            train(one, 3)
            handle = gradwire.handle_of(one)
            assert handle is not gradwire.handle_of(ddp) and same(list(one.parameters()), list(fresh.parameters()))
            assert same_residuals(residuals(handle), residuals(gradwire.handle_of(fresh)))
        for one in (ddp, control):
            train(one, 3, first=steps)
        assert same(list(ddp.parameters()), list(control.parameters()))


@law
def a_ddp_over_another_group_has_no_trace():
    ddp = make_ddp(process_group=plain_group())
    for steps in (0, 1, 1):
        train(ddp, steps)
        assert gradwire.handle_of(ddp) is None and not ddp._get_ddp_logging_data().get("comm_hook")
        assert not ddp._forward_pre_hooks and type(ddp._comm_hooks) is list and not [key for key in vars(ddp) if "gradwire" in key]


@law
def every_variable_and_every_line_of_the_file_is_read_or_refused():
    file = pathlib.Path(sys.argv[1], f"settings{dist.get_rank()}.yaml")
    refused = [
        ({"GRADWIRE_ALGORITHM": "ef21"}, ["GRADWIRE_ALGORITHM is no setting", "GRADWIRE_METHOD"]),
        ({"GRADWIRE_Method": "ef21"}, ["GRADWIRE_Method is no setting", "did you mean GRADWIRE_METHOD?"]),
        ({"GRADWIRE_METHOD": ""}, ["GRADWIRE_METHOD: found nothing", "unset"]),
        ({"GRADWIRE_CONFIG": ""}, ["GRADWIRE_CONFIG: found nothing", "unset"]),
        ({"GRADWIRE_METHOD": " ef"}, ["comm.method: ' ef' is unknown"]),
        ({"GRADWIRE_METHOD": "marina"}, ["marina needs", "expected diana"]),
        ({"GRADWIRE_SEED": "-1"}, ["GRADWIRE_SEED", "'-1'"]),
        ({"GRADWIRE_SEED": str(2**64)}, ["seed", "2**64 - 1"]),
        ({"GRADWIRE_TIMEOUT_S": "0"}, ["GRADWIRE_TIMEOUT_S", "'0'"]),
        ({"GRADWIRE_MIN_BUCKET_NUMEL": "5"}, ["min_bucket_numel", "intercept"]),
        ({"GRADWIRE_INTERCEPT": "all"}, ["intercept", "'all'"]),
        ({"GRADWIRE_BUCKET_CAP_MB": "5"}, ["DistributedDataParallel"]),
        (b"comm:\n  method: ef\n  method: ef21\n", [":3: comm.method is given twice", ":2"]),
        (b"comm:\n  method: ef\ncomm:\n  method: ef21\n", [":3: comm is given twice", ":1"]),
        (b"x: &x\n  method: ef\ncomm:\n  <<: *x\n", [":4: merge keys"]),
        (b"comm:\n  metod: ef\n", [":2", "unknown setting 'metod'", "method"]),
        (b"comm:\n  method: [ef]\n", [":2: comm.method: found a map or a list"]),
        (b"comm:\n  ? [a, b]\n  : c\n", [":2", "name of a key"]),
        (b"comm: ef\n", [":1: section comm"]),
        (b"com:\n  method: ef\n", ["expected a section comm", ":1 has 'com'"]),
        (b"", ["expected a section comm"]),
        (b"- ef\n", ["expected a section comm"]),
        (b"comm:\n  method: ef\n---\ncomm:\n", ["single document"]),
        (b"comm: {method: ef\n", ["expected"]),
        (b"\x80\x04\x95", ["byte 0 is no UTF-8 text"]),
        (b"[" * 50000, ["nested too deep"]),
        (b" " * (2**20 + 1), ["more than 1048576 bytes"]),
        ({"GRADWIRE_CONFIG": str(file.parent)}, ["it is a folder"]),
        ({"GRADWIRE_CONFIG": str(file) + ".not"}, ["No such file"]),
    ]
    for given, words in refused:
        if isinstance(given, bytes):
            file.write_bytes(given)
            given = {"GRADWIRE_CONFIG": str(file)}
        with mock.patch.dict(os.environ, given):
            raises(gradwire.ConfigError, words, gradwire.configure)
    file.write_text("own: {settings: 1}\nx: &x topk:5%\ncomm:\n  compressor: *x\n  start_iter: 7\n")
    with mock.patch.dict(os.environ, GRADWIRE_CONFIG=str(file), GRADWIRE_PYTHON="p", GRADWIRE_BUILD_DIR="b", GRADWIRE_SEED="3"):
        gradwire.configure()


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
def a_forked_child_leaves_as_it_likes():
    if DEVICE.type != "cpu":
        raise LeftOut("CUDA itself does not go on in a forked child")
    gradwire.configure(intercept="allreduce", min_bucket_numel=1000)
    group = dist.new_group(backend="gradwire")
    gradwire.configure()
    ddp, model = compresses(), make_model()
    reducer = OwnReducer(model, group)

    def step():
        backward(ddp, 0)
        model.zero_grad()
        model(batch(0)).square().mean().backward()
        reducer.finish()

    for _ in range(3):
        step()
    assert gradwire.intercepted(group), "the interceptor has no exchange yet: the law would say nothing"
    assert fork(lambda: sys.exit(3)) == 3
    step()


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


@law
def subgroups_compress_too():
    everyone = dist.new_group(list(range(dist.get_world_size())))
    ddp = make_ddp(process_group=everyone)
    train(ddp, 3)
    assert gradwire.handle_of(ddp) is not None


@law
def a_ddp_with_torchs_fp16_hook_stays_what_it_is():
    from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

    results = []
    for group in (None, plain_group()):
        ddp = make_ddp(process_group=group)
        ddp.register_comm_hook(None, default_hooks.fp16_compress_hook)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            train(ddp, 4)
        notices = [str(w.message) for w in caught if "gradwire" in str(w.message)]
        assert len(notices) == (group is None), notices
        assert gradwire.handle_of(ddp) is None
        results.append([p.detach().clone() for p in ddp.parameters()])
    assert same(*results)


@law
def a_ddp_with_torchs_powersgd_hook_stays_what_it_is():
    from torch.distributed.algorithms.ddp_comm_hooks import powerSGD_hook

    results = []
    for group in (None, plain_group()):
        ddp = DistributedDataParallel(make_model(), process_group=group)
        state = powerSGD_hook.PowerSGDState(process_group=group, matrix_approximation_rank=1, start_powerSGD_iter=2)
        ddp.register_comm_hook(state, powerSGD_hook.powerSGD_hook)
        train(ddp, 4)
        assert gradwire.handle_of(ddp) is None
        results.append([p.detach().clone() for p in ddp.parameters()])
    assert same(*results)


def fsdp_weights(mesh):
    from torch.distributed.fsdp import fully_shard

    model = make_model()
    for layer in model:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for step in range(3):
        backward(model, step)
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.05 * p.grad
    return [p.full_tensor().detach().clone() for p in model.parameters()]


@law
def fsdp2_runs_and_stays_exact():
    need_functional_gathers()
    from torch.distributed.device_mesh import DeviceMesh

    compresses()
    ours = fsdp_weights(DeviceMesh.from_group(dist.group.WORLD, DEVICE.type))
    plain = fsdp_weights(DeviceMesh.from_group(dist.new_group(backend=PLAIN), DEVICE.type))
    assert same(ours, plain)


@law
def hsdp_runs_and_stays_exact():
    from torch.distributed.device_mesh import DeviceMesh

    compresses()
    n, rank = dist.get_world_size(), dist.get_rank()

    def mesh(**backend):
        replicas = dist.new_group(list(range(n)), **backend)
        shards = [dist.new_group([other], **backend) for other in range(n)]
        return DeviceMesh.from_group([replicas, shards[rank]], DEVICE.type, mesh=torch.arange(n).reshape(n, 1), mesh_dim_names=("replicate", "shard"))

    assert same(fsdp_weights(mesh()), fsdp_weights(mesh(backend=PLAIN)))


@law
def dtensor_stays_exact():
    need_functional_gathers()
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    compresses()
    mesh = DeviceMesh.from_group(dist.group.WORLD, DEVICE.type)
    torch.manual_seed(0)
    whole = torch.randn(8 * dist.get_world_size(), 700).to(DEVICE)
    sharded = distribute_tensor(whole, mesh, [Shard(0)])
    assert torch.equal(sharded.full_tensor(), whole)
    assert torch.equal(sharded.redistribute(placements=[Replicate()]).to_local(), whole)
    assert torch.equal(sharded.redistribute(placements=[Shard(1)]).full_tensor(), whole)


@law
def a_compiled_ddp_trains_with_compressed_gradients():
    # torch.compile cuts the graph at DDP's buckets, and refuses a cap below the first bucket's.
    ddp, plain = DistributedDataParallel(make_model()), DistributedDataParallel(make_model())
    compiled = torch.compile(ddp, backend="aot_eager")
    for step in range(4):
        backward(plain, step)
        compiled.zero_grad()
        compiled(batch(step)).square().mean().backward()
    handle = gradwire.handle_of(ddp)
    assert handle is not None and any(e.abs().sum() > 0 for e in residuals(handle).values())
    for a, b in zip(gradients(ddp), gradients(plain)):
        assert torch.allclose(a, b, atol=1e-5)


class OwnReducer:
    """Somebody else's reducer: all-reduces each parameter's gradient, flat, as backward has it ready."""

    def __init__(self, module, group):
        self.works = []
        for p in module.parameters():
            p.register_post_accumulate_grad_hook(lambda p: self.works.append((p, dist.all_reduce(p.grad.view(-1), group=group, async_op=True))))

    def finish(self):
        for p, work in self.works:
            work.wait()
            p.grad /= dist.get_world_size()
        self.works.clear()


@law
def other_reducers_are_intercepted_on_request_and_metrics_are_not():
    gradwire.configure(intercept="allreduce", min_bucket_numel=1000)
    group = dist.new_group(backend="gradwire")
    gradwire.configure()
    model, exact = make_model(), make_model()
    reducer, other = OwnReducer(model, group), OwnReducer(exact, dist.new_group(backend=PLAIN))
    for step in range(4):
        for module, way in ((model, reducer), (exact, other)):
            module.zero_grad()
            module(batch(step)).square().mean().backward()
            way.finish()
        equal = same([p.grad for p in model.parameters()], [p.grad for p in exact.parameters()])
        assert equal == (step == 0), f"step {step}: the first pass is exact, the others are not"
        for p in model.parameters():
            others = [torch.empty_like(p.grad) for _ in range(dist.get_world_size())]
            dist.all_gather(others, p.grad)
            assert all(torch.equal(o, p.grad) for o in others)
        x = mine().round()
        dist.all_reduce(x, group=group)
        assert torch.equal(x, total()), "outside of a backward pass nothing is taken"
    totals = gradwire.intercepted(group)
    large = sum(p.numel() >= 1000 for p in model.parameters())
    assert len(totals) == large and all(t["pushes"] == 3 and t["bytes"] < t["dense_bytes"] for t in totals.values()), totals
    assert gradwire.intercepted() == {}


@law
def sparse_gradients_and_parameters_frozen_for_a_while_are_as_with_plain_ddp():
    if DEVICE.type == "cuda":
        raise LeftOut("NCCL has no sparse all-reduce: DDP itself cannot train this")
    over, plain = make_ddp(Words(), find_unused_parameters=True), make_ddp(Words(), find_unused_parameters=True, process_group=plain_group())
    for step in range(4):
        for ddp in (over, plain):
            ddp.zero_grad()
            ddp.module.end.requires_grad_(step in (0, 3))  # frozen after it is attached, and unfrozen again
            ddp(words(step)).backward()
        assert torch.equal(over.module.table.weight.grad.to_dense(), plain.module.table.weight.grad.to_dense()), f"step {step}"
        assert (over.module.end.weight.grad is None) == (step in (1, 2))
    assert residuals(gradwire.handle_of(over))["end.weight"].abs().sum() > 0


@law
def a_configured_scaler_protects_residuals():
    scaler = torch.amp.GradScaler(DEVICE.type, init_scale=2.0**10)
    gradwire.configure(grad_scaler=scaler)
    ddp = make_ddp()
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05)
    train_scaled(ddp, scaler, optimizer, 3)
    before = residuals(gradwire.handle_of(ddp))
    train_scaled(ddp, scaler, optimizer, 1, infinite_at=(0,))
    after = residuals(gradwire.handle_of(ddp))
    assert all(torch.equal(before[name], after[name]) for name in before) and scaler.get_scale() == 2.0**9
    gradwire.configure()


@law
def configure_wins_over_the_environment_and_mistakes_are_refused():
    for options, words in (
        ({"compressor": "topp"}, ["comm.compressor"]),
        ({"method": "ssdm"}, ["ssdm needs", "expected signsgd"]),
        ({"seed": -1}, ["seed: found -1"]),
        ({"seed": 1.0}, ["seed: found 1.0"]),
        ({"seed": True}, ["seed: found True"]),
        ({"timeout_s": 0}, ["timeout_s"]),
        ({"timeout_s": float("inf")}, ["timeout_s"]),
        ({"grad_scaler": 2.0}, ["grad_scaler: found a float"]),
        ({"optimizer": make_model()}, ["optimizer: found a Sequential"]),
        ({"intercept": True}, ["intercept: found True"]),
        ({"min_bucket_numel": 5}, ["min_bucket_numel", "intercept"]),
        ({"intercept": "allreduce", "min_bucket_numel": -1}, ["min_bucket_numel: found -1"]),
        ({"intercept": "allreduce", "grad_scaler": torch.amp.GradScaler("cpu")}, ["intercept", "grad_scaler"]),
        ({"intercept": "allreduce", "method": "ec"}, ["intercept", "the step"]),
        ({"algorithm": "ef"}, ["unknown setting 'algorithm'"]),
    ):
        raises(gradwire.ConfigError, words, lambda: gradwire.configure(**options))
    gradwire.configure(compressor="sign")
    ddp = make_ddp()
    train(ddp, 2)
    assert "sign" in gradwire.handle_of(ddp).name
    gradwire.configure()


if __name__ == "__main__":
    run("gradwire")
