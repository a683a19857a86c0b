# SPDX-License-Identifier: Apache-2.0
"""Laws of gradwire.attach: what becomes of gradients. Those of its handle and of copies are in handle_laws.py and
copy_laws.py, and run with them."""

import threading

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import copy_laws  # noqa: F401  its laws register themselves
import gradwire
import handle_laws  # noqa: F401
from laws import DEVICE, LeftOut, backward, batch, gradients, law, make_ddp, make_model, residuals, run, same, same_residuals, train, train_scaled


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
        memory = kept.get(name, torch.zeros(difference.numel())).to(DEVICE).double().reshape(difference.shape)
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


@law
def an_overflow_on_one_rank_leaves_every_residual_and_all_skip_alike():
    for method, compressor in (("ef", "topk:5%"), ("ef21", "topk:5%"), ("doublesqueeze", "sign")):
        ddp = make_ddp()
        scaler = torch.amp.GradScaler(DEVICE.type, init_scale=2.0**10)
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
        scaler = torch.amp.GradScaler(DEVICE.type, init_scale=2.0**12, growth_interval=2, enabled=scaled)
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


class Given(nn.Module):
    """Its parameters' gradients are those given, on any device."""

    def __init__(self, gradients, device):
        super().__init__()
        self.weights = nn.ParameterList(torch.zeros_like(g, device=device) for g in gradients)
        self.gradients = [g.to(device) for g in gradients]

    def forward(self, factor):
        return factor * sum((w * g).sum() for w, g in zip(self.weights, self.gradients))


@law
def gradients_on_a_gpu_are_compressed_to_the_bits_of_those_on_the_cpu():
    if DEVICE.type == "cpu":
        raise LeftOut("it compares gradients on a GPU with those on the CPU, and this job has none on a GPU")
    gloo = dist.new_group(backend="gloo")
    generator = torch.Generator().manual_seed(dist.get_rank())
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        given = [torch.randn(shape, generator=generator).to(dtype) for shape in ((64, 300), (300,), (77, 33), (2000, 500))]
        for method, compressor in (("none", "auto"), ("ef", "topk:5%"), ("ef", "sign"), ("ef21", "topk:5%"), ("diana", "qsgd:7")):
            seen = []
            for device in ("cpu", DEVICE):
                ddp = make_ddp(Given(given, device), process_group=gloo)
                with gradwire.attach(ddp, method, compressor, start_iter=1) as handle:
                    for step in range(4):
                        ddp.zero_grad()
                        ddp(2.0**step).backward()
                    seen.append([g.cpu() for g in gradients(ddp)] + list(residuals(handle).values()))
            assert same(*seen), f"{method}, {compressor}, {dtype}"


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
    ddp = make_ddp(Branches().to(DEVICE), find_unused_parameters=True)
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
def methods_of_every_kind_train():
    for method, options in (
        ("ef21", {}), ("diana", {}), ("econtrol", {}), ("dore", {}), ("doublesqueeze", {}), ("dcgd", {"compressor": "randk:10%:common"}), ("signsgd_mv", {}),
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


if __name__ == "__main__":
    run("gloo")
