# SPDX-License-Identifier: Apache-2.0
"""Laws of gradwire.attach. Run by every rank of a torchrun: `attach_laws.py RESULTS_FOLDER [LAW...]`.

Each law is a function; a rank writes what failed to RESULTS_FOLDER/<rank>.json, which test_attach.py reads.
"""

import ctypes
import json
import pathlib
import sys
import threading
import time
import traceback

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import gradwire

LAWS = {}


class LeftOut(Exception):
    """A law that this job cannot be asked about, for the reason that it gives."""


def law(function):
    LAWS[function.__name__] = function
    return function


def make_model(seed=0, width=64, dtype=torch.float32):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(32, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 8)).to(dtype)


def make_ddp(model=None, **options):
    return DistributedDataParallel(make_model() if model is None else model, bucket_cap_mb=0.01, **options)


def batch(step, rank=None, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1000 * step + (dist.get_rank() if rank is None else rank))
    return torch.randn(16, 32, generator=generator).to(dtype)


def backward(ddp, step, dtype=torch.float32, scale=1.0):
    ddp.zero_grad()
    (ddp(batch(step, dtype=dtype)).square().mean() * scale).backward()


def train(ddp, steps, lr=0.05, first=0):
    for step in range(first, first + steps):
        backward(ddp, step)
        with torch.no_grad():
            for parameter in ddp.parameters():
                parameter -= lr * parameter.grad


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


@law
def identity_is_plain_ddp_bit_for_bit():
    for view in (False, True):
        plain, hooked = (make_ddp(gradient_as_bucket_view=view) for _ in range(2))
        with gradwire.attach(hooked, method="none"):
            for step in range(4):
                for ddp in (plain, hooked):
                    backward(ddp, step)
                assert same(gradients(plain), gradients(hooked)), f"step {step}, gradient_as_bucket_view={view}"


@law
def error_feedback_conserves_every_parameter_through_the_bucket_rebuild():
    ddp, local = make_ddp(), make_model()
    handle = gradwire.attach(ddp, "ef", "topk:5%", start_iter=0)
    owed = [torch.zeros_like(p, dtype=torch.float64) for p in local.parameters()]
    for step in range(5):
        backward(ddp, step)
        local.zero_grad()
        local(batch(step)).square().mean().backward()
        for sum_, p, q in zip(owed, local.parameters(), ddp.parameters()):
            mine = p.grad.double()
            dist.all_reduce(mine)
            sum_ += mine - dist.get_world_size() * q.grad.double()
    kept = residuals(handle)
    for (name, _), difference in zip(ddp.module.named_parameters(), owed):
        memory = kept.get(name, torch.zeros(difference.numel())).double().reshape(difference.shape)
        dist.all_reduce(memory)
        assert torch.allclose(difference, memory, atol=1e-4), name
    assert any(e.abs().sum() > 0 for e in kept.values())
    handle.close()


@law
def accumulation_under_no_sync_is_one_big_batch_and_one_exchange():
    ddp, big = make_ddp(), make_ddp()
    with gradwire.attach(ddp, "none") as handle, gradwire.attach(big, "none"):
        for step in range(3):
            ddp.zero_grad()
            before = handle.stats()["pushes"]
            with ddp.no_sync():
                (ddp(batch(step)[:8]).square().mean() / 2).backward()
            assert handle.stats()["pushes"] == before
            (ddp(batch(step)[8:]).square().mean() / 2).backward()
            backward(big, step)
            for a, b in zip(gradients(ddp), gradients(big)):
                assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)
            assert handle.stats()["pushes"] > before


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


@law
def an_overflow_on_one_rank_leaves_every_residual_and_all_skip_alike():
    for method, compressor in (("ef", "topk:5%"), ("ef21", "topk:5%"), ("doublesqueeze", "sign")):
        ddp = make_ddp()
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05)
        with gradwire.attach(ddp, method, compressor, start_iter=0, grad_scaler=scaler) as handle:
            train_scaled(ddp, scaler, optimizer, 4)
            before, weights = handle.state_dict(), [p.detach().clone() for p in ddp.parameters()]
            train_scaled(ddp, scaler, optimizer, 1, infinite_at=(0,))
            after = handle.state_dict()
            mine = str(dist.get_rank())
            for name, keys in before["ranks"][mine].items():
                for key, values in keys.items():
                    assert torch.equal(values, after["ranks"][mine][name][key]), f"{method}: {key} of {name}"
            assert same(weights, list(ddp.parameters())), f"{method}: a skipped step moved the weights"
            assert scaler.get_scale() == 2.0**9
            train_scaled(ddp, scaler, optimizer, 2)
            assert not same(weights, list(ddp.parameters()))


@law
def a_scaler_does_not_show_in_residuals_or_weights():
    results = []
    for scaled in (False, True):
        ddp = make_ddp()
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12, growth_interval=2, enabled=scaled)
        optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05)
        with gradwire.attach(ddp, "ef", "sign", start_iter=0, grad_scaler=scaler) as handle:
            train_scaled(ddp, scaler, optimizer, 8)
            results.append((residuals(handle), [p.detach().clone() for p in ddp.parameters()]))
            if scaled:
                assert scaler.get_scale() > 2.0**13, "the scale did not change"
    assert same_residuals(results[0][0], results[1][0])
    assert same(results[0][1], results[1][1])


@law
def gradients_of_every_float_are_exchanged():
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        for method, compressor in (("none", "auto"), ("ef", "topk:5%")):
            ddp = make_ddp(make_model(dtype=dtype))
            with gradwire.attach(ddp, method, compressor, start_iter=0) as handle:
                for step in range(3):
                    backward(ddp, step, dtype)
                for p in ddp.parameters():
                    assert p.grad.dtype == dtype and p.grad.isfinite().all()
                    others = [torch.empty_like(p.grad) for _ in range(dist.get_world_size())]
                    dist.all_gather(others, p.grad)
                    assert all(torch.equal(other, p.grad) for other in others)
                for e in residuals(handle).values():
                    assert e.dtype == (torch.float64 if dtype == torch.float64 else torch.float32) and e.abs().sum() > 0
            if method == "none":
                local = make_model(dtype=dtype)
                mean = [torch.zeros_like(p, dtype=torch.float64) for p in local.parameters()]
                for rank in range(dist.get_world_size()):
                    local.zero_grad()
                    local(batch(2, rank, dtype)).square().mean().backward()
                    for sum_, p in zip(mean, local.parameters()):
                        sum_ += p.grad.double() / dist.get_world_size()
                for expected, p in zip(mean, ddp.parameters()):
                    assert torch.allclose(expected, p.grad.double(), rtol=4 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)


@law
def gradients_on_a_gpu_are_staged_through_the_host():
    if not torch.cuda.is_available():
        raise LeftOut("no GPU")
    device = torch.device("cuda", dist.get_rank() % torch.cuda.device_count())
    results = []
    for where in ("cpu", device):
        ddp = make_ddp(make_model().to(where))
        with gradwire.attach(ddp, "ef", "sign", start_iter=0):
            for step in range(4):
                ddp.zero_grad()
                ddp(batch(step).to(where)).square().mean().backward()
            results.append([g.cpu() for g in gradients(ddp)])
    for a, b in zip(*results):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)


@law
def bucket_views_change_nothing():
    results = []
    for view in (False, True):
        ddp = make_ddp(gradient_as_bucket_view=view)
        with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) as handle:
            train(ddp, 5)
            results.append((residuals(handle), [p.detach().clone() for p in ddp.parameters()]))
    assert same_residuals(results[0][0], results[1][0]) and same(results[0][1], results[1][1])


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.used, self.other, self.end = nn.Linear(32, 64), nn.Linear(32, 64), nn.Linear(64, 64)

    def forward(self, x, other=False):
        return self.end(self.other(x) if other else self.used(x))


@law
def an_unused_parameter_keeps_its_residual():
    ddp = make_ddp(Branches(), find_unused_parameters=True)
    with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) as handle:
        for step in range(3):
            ddp.zero_grad()
            ddp(batch(step), other=step % 2 == 0).square().mean().backward()
        before = residuals(handle)
        assert before["other.weight"].abs().sum() > 0
        for step in range(3):
            ddp.zero_grad()
            ddp(batch(step)).square().mean().backward()
        after = residuals(handle)
        assert torch.equal(before["other.weight"], after["other.weight"])
        assert not torch.equal(before["used.weight"], after["used.weight"])


@law
def a_static_graph_trains_as_another_does():
    results = []
    for static in (False, True):
        ddp = make_ddp(static_graph=static)
        with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0):
            train(ddp, 5)
            results.append([p.detach().clone() for p in ddp.parameters()])
    assert same(*results)


@law
def join_lets_ranks_have_uneven_inputs():
    ddp = make_ddp()
    with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) as handle:
        mine = 3 if dist.get_rank() == 0 else 6
        with ddp.join():
            for step in range(mine):
                backward(ddp, step)
                if step == 2:
                    early = residuals(handle)
        if dist.get_rank() == 0:
            assert same_residuals(early, residuals(handle)), "a rank that has joined keeps its residual"
        else:
            assert not same_residuals(early, residuals(handle))


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
def two_models_whose_buckets_become_ready_in_different_orders_do_not_mix():
    expected = []
    for seed in (1, 2):
        ddp = make_ddp(make_model(seed))
        with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0):
            train(ddp, 4)
        expected.append([p.detach().clone() for p in ddp.parameters()])
    models = [make_ddp(make_model(seed)) for seed in (1, 2)]
    handles = [gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) for ddp in models]
    for step in range(4):
        for ddp in models:  # DDP's own messages, such as those of the bucket rebuild, need one order on all ranks
            ddp.zero_grad()
        losses = [ddp(batch(step)).square().mean() for ddp in models]
        threads = [threading.Thread(target=loss.backward) for loss in losses]
        for thread in threads if dist.get_rank() % 2 == 0 else threads[::-1]:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive(), "stuck"
        with torch.no_grad():
            for parameter in (p for ddp in models for p in ddp.parameters()):
                parameter -= 0.05 * parameter.grad
    for ddp, weights in zip(models, expected):
        assert same(list(ddp.parameters()), weights)
    for handle in handles:
        handle.close()


@law
def subgroups_exchange_among_themselves():
    groups = [dist.new_group([rank]) for rank in range(dist.get_world_size())]
    everyone = dist.new_group(list(range(dist.get_world_size())))
    for group in (everyone, groups[dist.get_rank()]):
        plain, hooked = make_ddp(process_group=group), make_ddp(process_group=group)
        with gradwire.attach(hooked, "none"), gradwire.attach(make_ddp(process_group=group), "ef", "sign"):
            for step in range(3):
                for ddp in (plain, hooked):
                    backward(ddp, step)
            assert same(gradients(plain), gradients(hooked))


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
def methods_of_every_kind_train():
    for method, options in (
        ("ef21", {}), ("diana", {}), ("econtrol", {}), ("marina", {}), ("dore", {}), ("doublesqueeze", {}), ("dcgd", {"compressor": "randk:10%:common"}), ("signsgd_mv", {}),
    ):  # fmt: skip
        ddp = make_ddp()
        optimizer = torch.optim.SGD(ddp.parameters(), lr=0.05)
        with gradwire.attach(ddp, method, optimizer=optimizer, start_iter=0, **options) as handle:
            train(ddp, 3)
            for p in ddp.parameters():
                others = [torch.empty_like(p) for _ in range(dist.get_world_size())]
                dist.all_gather(others, p.detach())
                assert all(torch.equal(other, p) for other in others), method
            assert 0 < handle.stats()["bytes"], method


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
    ddp = DistributedDataParallel(nn.Sequential(*(nn.Linear(1024, 1024) for _ in range(6))), bucket_cap_mb=4)
    with gradwire.attach(ddp, "ef", "topk:1%", start_iter=0) as handle:
        x = torch.randn(512, 1024)
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
def ranks_with_other_settings_are_refused_with_the_difference():
    ddp = make_ddp()
    mine = "topk:1%" if dist.get_rank() == 0 else "topk:2%"
    raises(ValueError, ["rank 1", "compressor: topk:1%", "compressor: topk:2%"], lambda: gradwire.attach(ddp, "ef", mine))


@law
def a_compiled_ddp_is_as_one_that_is_not():
    # torch.compile cuts the graph at DDP's buckets, and refuses a cap below the first bucket's.
    results = []
    for compiled in (False, True):
        ddp = DistributedDataParallel(make_model())
        call = torch.compile(ddp, backend="aot_eager") if compiled else ddp
        with gradwire.attach(ddp, "ef", "topk:5%", start_iter=0) as handle:
            for step in range(4):
                ddp.zero_grad()
                call(batch(step)).square().mean().backward()
            results.append((gradients(ddp), list(residuals(handle).values())))
    for a, b in zip(results[0][0] + results[0][1], results[1][0] + results[1][1]):
        assert torch.allclose(a, b, atol=1e-5)


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


def run(backend, laws):
    dist.init_process_group(backend)
    failures, seconds = {}, {}
    for name in sys.argv[2:] or laws:
        start = time.monotonic()
        try:
            laws[name]()
            failures[name] = ""
        except LeftOut as reason:
            failures[name] = f"left out: {reason}"
        except Exception:
            failures[name] = traceback.format_exc()
        seconds[name] = round(time.monotonic() - start, 2)
        dist.barrier()
    pathlib.Path(sys.argv[1], f"{dist.get_rank()}.json").write_text(json.dumps({"failures": failures, "seconds": seconds}))
    dist.destroy_process_group()


if __name__ == "__main__":
    run("gloo", LAWS)
