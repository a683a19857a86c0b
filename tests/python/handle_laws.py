# SPDX-License-Identifier: Apache-2.0
"""Laws of the handle that gradwire.attach returns: state, statistics, errors, its thread. attach_laws.py runs them."""

import ctypes
import gc
import multiprocessing
import os
import pathlib
import sys
import threading
import time
from unittest import mock

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import gradwire
from laws import DEVICE, LeftOut, Uncaught, backward, fork, law, make_ddp, make_model, raises, residuals, same, same_residuals, train


@law
def another_bucket_cap_and_loaded_state_go_on_with_the_same_bits():
    straight = make_ddp()
    with gradwire.attach(straight, "ef", "topk:5%") as handle:
        train(straight, 6)
        weights, state = [p.detach().clone() for p in straight.parameters()], handle.state_dict()
        train(straight, 6, first=6)
    again = DistributedDataParallel(make_model(), bucket_cap_mb=1)
    with torch.no_grad():
        for p, saved in zip(again.parameters(), weights):
            p.copy_(saved)
    with gradwire.attach(again, "ef", "topk:5%") as handle:
        handle.load_state_dict(state)
        train(again, 6, first=6)
    assert same(list(straight.parameters()), list(again.parameters()))


@law
def the_registered_hook_does_what_attach_does():
    results = []
    for registered in (False, True):
        ddp = make_ddp()
        if registered:
            handle = gradwire.CommState(ddp, "ef", "topk:5%", start_iter=0)
            ddp.register_comm_hook(handle, gradwire.comm_hook)
        else:
            handle = gradwire.attach(ddp, "ef", "topk:5%", start_iter=0)
        train(ddp, 4)
        results.append((residuals(handle), [p.detach().clone() for p in ddp.parameters()]))
        handle.close()
    assert same_residuals(results[0][0], results[1][0]) and same(results[0][1], results[1][1])


@law
def stats_count_bytes_and_name_the_method():
    ddp = make_ddp()
    with gradwire.attach(ddp, "ef", "topk:1%", start_iter=0, compress_1d=True, min_compress_numel=0) as handle:
        train(ddp, 4)
        stats = handle.stats()
        n = dist.get_world_size()
        dense = 4 * 2 * (n - 1) / n * 4 * sum(p.numel() for p in ddp.parameters())  # 4 steps, float32
        assert abs(stats["dense_bytes"] - dense) <= len(stats["buckets"])
        assert 0 < stats["ratio"] < 1 and stats["bytes"] == sum(b["bytes"] for b in stats["buckets"].values())
        assert stats["residual_norm"] > 0 and stats["encode_ms"] > 0 and stats["wire_ms"] > 0
        assert abs(stats["residual_norm"] - sum(e.double().square().sum() for e in residuals(handle).values()) ** 0.5) < 1e-6
        assert handle.name == "gradwire: ef, topk:1%"
        assert ddp._get_ddp_logging_data().get("comm_hook") == handle.name


@law
def the_hot_path_never_takes_the_gil():
    """A thread holds the GIL for 2 s, by a C function that does not release it. A backward pass that began before sends and
    receives all its buckets meanwhile."""
    ddp = DistributedDataParallel(nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(6))).to(DEVICE), bucket_cap_mb=4)
    with gradwire.attach(ddp, "ef", "topk:1%", start_iter=0) as handle:
        x = torch.randn(512 if DEVICE.type == "cpu" else 2**17, 1024, device=DEVICE)  # backward takes more than 50 ms
        for _ in range(3):
            ddp(x).square().mean().backward()
        loss, started, span = ddp(x).square().mean(), threading.Event(), []
        holder = ctypes.PyDLL(None)

        def hold():
            started.wait()
            time.sleep(0.02)  # the main thread is inside backward(), without the GIL, when this returns
            span.append(time.monotonic())
            holder.usleep(2_000_000)
            span.append(time.monotonic())

        thread = threading.Thread(target=hold)
        thread.start()
        before, _ = handle._hook.finished()
        started.set()
        loss.backward(retain_graph=True)  # torch itself takes the GIL where it lets go of a graph's tensors
        thread.join()
        pushes, last = handle._hook.finished()
        assert pushes == before + len(handle.stats()["buckets"])
        assert span[0] < last < span[1] - 0.5, f"the GIL was held from {span[0]} to {span[1]}, the exchange ended at {last}"


@law
def close_is_idempotent_and_a_hundred_attaches_in_a_row_work():
    for _ in range(100):
        ddp = make_ddp()
        handle = gradwire.attach(ddp, "ef", "sign", start_iter=0)
        backward(ddp, 0)
        handle.close()
        handle.close()
    raises(RuntimeError, ["closed"], lambda: backward(ddp, 1))


class Numbers(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, place):
        gc.collect()
        return place


@law
def a_forked_child_leaves_as_it_likes_and_its_parent_trains_on():
    if DEVICE.type != "cpu":
        raise LeftOut("CUDA itself does not go on in a forked child")
    models = [make_ddp(), make_ddp()]
    handles = [gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) for ddp in models]

    def exits():
        sys.exit(3)

    def dies():
        raise Uncaught()

    def lets_go_of_everything():
        handles.clear(), models.clear()
        gc.collect()
        sys.exit(3)

    def uses_it():
        handles[0].close()
        handles[0].close()
        for call in (handles[0].stats, handles[0].state_dict, lambda: backward(models[0], 0)):
            raises(RuntimeError, ["forked child", "parent"], call)

    for ddp in models:
        train(ddp, 3)  # past the bucket rebuild, which is a message of DDP's own
    codes = [fork(leave) for leave in (exits, dies, lets_go_of_everything, uses_it)]
    assert codes == [3, 1, 3, 0], codes
    child = multiprocessing.get_context("fork").Process(target=exits)
    child.start()
    child.join(30)
    assert child.exitcode == 3
    # Its workers are made by fork, and each collects what it has of the handles.
    loader = torch.utils.data.DataLoader(Numbers(), batch_size=4, num_workers=2, multiprocessing_context="fork")
    assert sum(batch.sum().item() for batch in loader) == 28
    for ddp, handle in zip(models, handles):
        train(ddp, 2, first=3)
        assert handle.stats()["pushes"] > 0
        handle.close()
    alone = make_ddp()
    with gradwire.attach(alone, "ef", "topk:5%", start_iter=0):
        train(alone, 5)
    for ddp in models:
        assert same(list(alone.parameters()), list(ddp.parameters())), "children left a trace"


@law
def mistakes_say_what_to_do():
    raises(TypeError, ["Sequential", "DistributedDataParallel"], lambda: gradwire.attach(make_model()))
    ddp = make_ddp()
    raises(ValueError, ["gradwire.attach", "comm.compressor", "topk"], lambda: gradwire.attach(ddp, "ef", "topp:1%"))
    raises(ValueError, ["comm.method", "unknown"], lambda: gradwire.attach(ddp, "error_feedback"))
    raises(ValueError, ["does not contract"], lambda: gradwire.attach(ddp, "ef", "qsgd:7"))
    raises(ValueError, ["unknown setting 'topolgy'", "topology"], lambda: gradwire.attach(ddp, topolgy="sharded"))
    raises(ValueError, ["start_iter", "'soon'", "integer"], lambda: gradwire.attach(ddp, start_iter="soon"))
    raises(ValueError, ["bucket_cap_mb", "DDP"], lambda: gradwire.attach(ddp, bucket_cap_mb=4))
    raises(ValueError, ["dore", "optimizer="], lambda: gradwire.attach(ddp, "dore"))
    raises(ValueError, ["seed: found -1", "0 to 2**64 - 1"], lambda: gradwire.attach(ddp, seed=-1))
    raises(ValueError, ["seed: found True"], lambda: gradwire.attach(ddp, seed=True))
    raises(ValueError, ["seed: found 1.5"], lambda: gradwire.attach(ddp, seed=1.5))
    raises(ValueError, ["timeout_s", "'-1'"], lambda: gradwire.attach(ddp, timeout_s=-1))
    raises(ValueError, ["timeout_s", "inf"], lambda: gradwire.attach(ddp, timeout_s=float("inf")))
    raises(ValueError, ["start_iter", "'true'"], lambda: gradwire.attach(ddp, start_iter=True))
    raises(ValueError, ["unknown setting 'min_bucket_numel'"], lambda: gradwire.attach(ddp, min_bucket_numel=5))
    raises(ValueError, ["grad_scaler: found a bool", "GradScaler"], lambda: gradwire.attach(ddp, grad_scaler=True))
    raises(ValueError, ["optimizer: found a float", "Optimizer"], lambda: gradwire.attach(ddp, "ec", optimizer=0.1))
    another = torch.optim.SGD(make_model().parameters(), lr=0.1)
    raises(ValueError, ["optimizer: this SGD holds none"], lambda: gradwire.attach(ddp, "ec", optimizer=another))
    holder = nn.ModuleDict({"net": ddp})
    raises(TypeError, ["ModuleDict", "holds a DistributedDataParallel as net"], lambda: gradwire.attach(holder))
    compiled = torch.compile(make_model(), backend="aot_eager")
    raises(TypeError, ["OptimizedModule around a Sequential", "wrap the model"], lambda: gradwire.attach(compiled))
    with gradwire.attach(ddp) as handle:
        raises(RuntimeError, ["already"], lambda: gradwire.attach(ddp))
        raises(RuntimeError, ["not a gradwire state_dict"], lambda: handle.load_state_dict({"model": 1}))
        state = handle.state_dict()
        state["ranks"] = {str(dist.get_rank()): {"no.such": {"e": torch.zeros(3)}}}
        raises(RuntimeError, ["no.such", "another model"], lambda: handle.load_state_dict(state))
    builtin = make_ddp()
    builtin._register_builtin_comm_hook(dist.BuiltinCommHookType.FP16_COMPRESS)
    raises(RuntimeError, ["already"], lambda: gradwire.attach(builtin))
    import torch._dynamo.config as dynamo

    with dynamo.patch(optimize_ddp="python_reducer"):
        python_reducer = make_ddp()
    raises(RuntimeError, ["python_reducer", "ddp_optimizer"], lambda: gradwire.attach(python_reducer))
    frozen = make_model()
    frozen[0].weight.requires_grad_(False)
    ddp = make_ddp(frozen)
    with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) as handle:
        train_frozen = [p for p in ddp.parameters() if p.requires_grad]
        for step in range(3):
            backward(ddp, step)
        assert frozen[0].weight.grad is None and all(p.grad is not None for p in train_frozen)
        assert "0.weight" not in handle.state_dict()["ranks"][str(dist.get_rank())]


def trained_state(method, compressor, model=None, **options):
    ddp = make_ddp(model)
    with gradwire.attach(ddp, method, compressor, start_iter=0, **options) as handle:
        train(ddp, 3)
        return handle.state_dict()


@law
def a_state_of_something_else_is_refused_with_the_difference():
    state = trained_state("ef", "topk:5%")
    mine = str(dist.get_rank())
    for method, options, words in (
        ("ef21", dict(compressor="topk:5%"), ["method: saved with ef, this one has ef21"]),
        ("diana", dict(compressor="randk:25%"), ["method: saved with ef, this one has diana"]),
        ("none", {}, ["method: saved with ef, this one has none"]),
        ("ef", dict(compressor="topk:10%"), ["link: saved with ef, topk:5%", "this one has ef, topk:10%"]),
        ("ef", dict(compressor="topk:5%", min_compress_numel=100000), ["parameter 0.weight: saved with [64, 32], compressed", "dense"]),
        ("ef", dict(compressor="topk:5%", topology="sharded", down="ef"), ["topology: saved with allgather", "way back: saved with none"]),
        ("ef", dict(compressor="topk:5%", seed=1), ["seed: saved with 0, this one has 1"]),
    ):
        ddp = make_ddp()
        with gradwire.attach(ddp, method, start_iter=0, **options) as handle:
            raises(RuntimeError, [*words, "reset=True"], lambda: handle.load_state_dict(state))
            assert handle.stats()["residual_norm"] == 0
            handle.load_state_dict(state, reset=True)
            after = handle.state_dict()
            assert after["step"] == 3 and all(not v.any() for keys in after["ranks"][mine].values() for v in keys.values())
            train(ddp, 2)
    turned = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 64)).to(DEVICE)
    with gradwire.attach(make_ddp(turned), "ef", "topk:5%") as handle:
        raises(RuntimeError, ["parameter 0.weight: saved with [64, 32]", "this one has [32, 64]"], lambda: handle.load_state_dict({**state, "ranks": {mine: {}}}))
    with gradwire.attach(make_ddp(), "ef", "topk:5%", timeout_s=77, start_iter=2) as handle:  # harmless
        handle.load_state_dict(state)
        assert same_residuals(residuals(handle), {name: keys["e"] for name, keys in state["ranks"][mine].items()})
        own = state["ranks"][mine]
        first = own["0.weight"]["e"]
        for damaged, words in (
            ({name: keys for name, keys in own.items() if name != "2.weight"}, ["has no 'e' of parameter 2.weight"]),
            ({**own, "0.weight": {}}, ["has no 'e' of parameter 0.weight"]),
            ({**own, "0.weight": {"e": torch.full_like(first, float("nan"))}}, ["'e' of parameter 0.weight", "NaN"]),
            ({**own, "0.weight": {"e": first[1:]}}, ["0.weight has 2047 elements, expected 2048"]),
            ({**own, "0.weight": {"e": first.reshape(64, 32)}}, ["0.weight", "1-D"]),
            ({**own, "0.bias": {"e": torch.zeros(64)}}, ["0.bias", "travels dense"]),
        ):
            raises(RuntimeError, words, lambda: handle.load_state_dict({**state, "ranks": {mine: damaged}}))
        raises(RuntimeError, ["version 1", "reset=True"], lambda: handle.load_state_dict({**state, "version": 1}))
        raises(RuntimeError, ["damaged"], lambda: handle.load_state_dict({key: value for key, value in state.items() if key != "settings"}))
        raises(RuntimeError, ["not a gradwire state_dict"], lambda: handle.load_state_dict({**state, "step": -1}))
        raises(RuntimeError, ["twice"], lambda: gradwire.merge_state_dicts([state, state]))
        raises(RuntimeError, ["settings differ", "seed"], lambda: gradwire.merge_state_dicts([state, {**state, "settings": state["settings"].replace("seed: 0", "seed: 1")}]))
        assert same_residuals(residuals(handle), {name: keys["e"] for name, keys in own.items()}), "a refusal changed the memory"


@law
def names_are_those_of_the_plain_model_whatever_wraps_it():
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    class Wrapper(nn.Module):
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, x):
            return self.module(x)

    state = trained_state("ef", "topk:5%")
    checkpointed = make_model()
    checkpointed[2] = checkpoint_wrapper(checkpointed[2])
    for wrapped in (torch.compile(make_model()), checkpointed, Wrapper(Wrapper(make_model())), torch.compile(Wrapper(make_model()))):
        names = [name for name, _ in wrapped.named_parameters()]
        assert names != [name for name, _ in make_model().named_parameters()]
        with gradwire.attach(make_ddp(wrapped), "ef", "topk:5%") as handle:
            handle.load_state_dict(state)
            again = handle.state_dict()
        with gradwire.attach(make_ddp(), "ef", "topk:5%") as handle:
            handle.load_state_dict(again)
            assert same_residuals(residuals(handle), {name: keys["e"] for name, keys in state["ranks"][str(dist.get_rank())].items()}), names


@law
def methods_that_need_more_than_gradients_are_refused_at_every_door():
    ddp = make_ddp()
    for method, instead in (
        ("marina", "diana"), ("pp_marina", "diana"), ("vr_marina", "diana"), ("vr_diana", "diana"),
        ("ec_lsvrg", "ec"), ("ec_lsvrg_diana", "ec_diana"), ("ec_lsvrg_star", "ec_diana"), ("ec_star", "ec_diana"),
    ):  # fmt: skip
        optimizer = torch.optim.SGD(ddp.parameters(), lr=0.1)
        for door in (gradwire.attach, gradwire.CommState):
            raises(gradwire.ConfigError, [f"gradwire.attach: comm.method: {method} needs", f"expected {instead}"], lambda: door(ddp, method, optimizer=optimizer))
        assert method not in dict(gradwire._C.methods())


@law
def ranks_of_several_launchers_may_name_the_loopback_that_they_share():
    with mock.patch.dict(os.environ, LOCAL_WORLD_SIZE="1", GLOO_SOCKET_IFNAME="lo"):
        ddp = make_ddp()
        with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) as handle:
            train(ddp, 2)
            assert any(e.abs().sum() > 0 for e in residuals(handle).values())


@law
def the_wrapper_of_torch_compile_is_taken_for_its_ddp():
    ddp = make_ddp()
    compiled = torch.compile(ddp, backend="aot_eager")
    with gradwire.attach(compiled, "ef", "topk:5%", start_iter=0) as handle:
        assert gradwire.handle_of(ddp) is handle and gradwire.handle_of(compiled) is handle


@law
def ranks_with_other_settings_are_refused_with_the_difference():
    ddp = make_ddp()
    mine = "topk:1%" if dist.get_rank() == 0 else "topk:2%"
    raises(ValueError, ["rank 1", "compressor: topk:1%", "compressor: topk:2%"], lambda: gradwire.attach(ddp, "ef", mine))


@law
def the_state_goes_through_torch_distributed_checkpoint():
    import torch.distributed.checkpoint as dcp

    folder = pathlib.Path(sys.argv[1]) / "dcp"
    ddp, again = make_ddp(), make_ddp()
    with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) as handle, gradwire.attach(again, "ef", "topk:5%", start_iter=0) as other:
        train(ddp, 4)
        dcp.save({"gradwire": handle.state_dict()}, checkpoint_id=folder)
        state = {"gradwire": other.state_dict()}
        dcp.load(state, checkpoint_id=folder)
        other.load_state_dict(state["gradwire"])
        assert same_residuals(residuals(handle), residuals(other)) and other.state_dict()["step"] == 4
    diana, ef21 = make_ddp(), make_ddp()
    with gradwire.attach(diana, "diana", "randk:25%") as handle, gradwire.attach(ef21, "ef21", "topk:5%") as other:
        dcp.save({"gradwire": handle.state_dict()}, checkpoint_id=folder / "diana")
        state = {"gradwire": other.state_dict()}  # of the same entries
        dcp.load(state, checkpoint_id=folder / "diana")
        raises(RuntimeError, ["method: saved with diana, this one has ef21"], lambda: other.load_state_dict(state["gradwire"]))
