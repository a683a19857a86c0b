# SPDX-License-Identifier: Apache-2.0
"""Laws of init_process_group("gradwire"): which DDPs are attached, by which settings, and what stays exact. Run as laws.py says,
in an environment that says compressor topk:5% from step 0; with those of collective_laws.py."""

import contextlib
import copy
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
from collective_laws import PLAIN, compresses, mine, need_functional_gathers, plain_group, total
from laws import DEVICE, LeftOut, Words, backward, batch, fork, gradients, law, make_ddp, make_model, raises, residuals, run, same, same_residuals, train, train_scaled, words


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
        ({"method": "ec_lsvrg"}, ["ec_lsvrg needs", "expected ec"]),
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
