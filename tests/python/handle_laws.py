# SPDX-License-Identifier: Apache-2.0
"""Laws of the handle that gradwire.attach returns: state, statistics, errors, its thread. attach_laws.py runs them."""

import ctypes
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
from laws import DEVICE, backward, law, make_ddp, make_model, raises, residuals, same, same_residuals, train


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


@law
def methods_that_need_more_than_gradients_are_refused_at_every_door():
    ddp = make_ddp()
    for method, instead in (
        ("marina", "diana"), ("pp_marina", "diana"), ("vr_marina", "diana"), ("vr_diana", "diana"), ("ssdm", "signsgd"), ("clip21_sgd2m", "clip21"),
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
