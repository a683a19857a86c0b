# SPDX-License-Identifier: Apache-2.0
"""Laws of methods with the step size inside: whose learning rates they take, and when. attach_laws.py runs them."""

import torch
import torch.distributed as dist
from torch import nn

import gradwire
from laws import DEVICE, law, make_ddp, raises

INSIDE = (("ec", {"compressor": "topk:5%"}), ("ec_diana", {"compressor": "topk:5%"}), ("dore", {}))


class Pair(nn.Module):
    """Two parameters whose gradients are the same on every call, and not the same on two ranks."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = (nn.Parameter(torch.zeros(64, 64)) for _ in range(2))
        generator = torch.Generator().manual_seed(10 + dist.get_rank())
        self.given = [torch.randn(64, 64, generator=generator).to(DEVICE) for _ in range(2)]

    def forward(self):
        return sum((p * g).sum() for p, g in zip((self.a, self.b), self.given))


def delivered(rates, groups, method, options, steps=24):
    """Gradients of a and b by step. `rates`: of a and b in a step; `groups`: a function of the model that makes what is attached
    with, the optimizer or optimizers, and may change them before the first step."""
    ddp = make_ddp(Pair().to(DEVICE))
    optimizer, change = groups(ddp.module)
    seen = []
    with gradwire.attach(ddp, method, optimizer=optimizer, start_iter=0, **options):
        change()
        for step in range(steps):
            for each in optimizer if isinstance(optimizer, list) else [optimizer]:
                for group in each.param_groups:
                    rate = rates(step)[any(p is ddp.module.b for p in group["params"])]
                    group["lr"] = torch.tensor(rate, dtype=torch.float64) if isinstance(group["lr"], torch.Tensor) else rate
            ddp.zero_grad()
            ddp().backward()
            seen.append([ddp.module.a.grad.clone(), ddp.module.b.grad.clone()])
    return seen


def nothing():
    pass


def two_groups(model, lr=1.0):
    return torch.optim.SGD([{"params": [model.a]}, {"params": [model.b]}], lr=lr), nothing


def one_group(model):
    return torch.optim.SGD([model.a, model.b], lr=1.0), nothing


def with_tensors(model):
    return two_groups(model, torch.tensor(1.0))


def two_optimizers(model):
    return [torch.optim.SGD([model.a], lr=1.0), torch.optim.SGD([model.b], lr=1.0)], nothing


def a_group_that_comes_later(model):
    optimizer = torch.optim.SGD([model.a], lr=1.0)
    return optimizer, lambda: optimizer.add_param_group({"params": [model.b], "lr": 0.05})


def falling(step):
    return (0.5 if step < 20 else 0.05), 0.05


@law
def every_parameter_has_its_own_groups_rate():
    for method, options in INSIDE:
        ways = {way.__name__: delivered(falling, way, method, options) for way in (two_groups, with_tensors, two_optimizers, a_group_that_comes_later)}
        for place in range(2):
            alone = delivered(lambda step: (falling(step)[place],) * 2, one_group, method, options)
            for name, seen in ways.items():
                for step, (mine, expected) in enumerate(zip(seen, alone)):
                    assert torch.equal(mine[place], expected[place]), f"{method}, {name}, step {step}, parameter {place}"
        norms = [pair[1].norm().item() for pair in ways["two_groups"]]
        assert max(norms[20:]) < 2 * max(norms[10:20]), f"{method}: b was told of the rate of a: {norms}"


@law
def at_rate_0_nothing_is_delivered_and_nothing_is_lost():
    """A warm-up from 0, then rates that are 0 now and then: sum of rate x gradient = n x sum of rate x delivered + memory."""

    def rates(step):
        return (0.0 if step % 4 == 0 else 0.1 * step), (0.0 if step < 5 else 0.2)

    for method, options in INSIDE:
        for step, pair in enumerate(delivered(rates, two_groups, method, options)):
            for gradient, rate in zip(pair, rates(step)):
                assert (gradient.norm().item() == 0) == (rate == 0) and gradient.isfinite().all(), f"{method}, step {step}: {gradient.norm()}"
    ddp = make_ddp(Pair().to(DEVICE))
    optimizer, _ = two_groups(ddp.module)
    owed = [torch.zeros(64, 64, dtype=torch.float64, device=DEVICE) for _ in range(2)]
    with gradwire.attach(ddp, "ec", "topk:5%", optimizer=optimizer, start_iter=0) as handle:
        for step in range(12):
            for group, rate in zip(optimizer.param_groups, rates(step)):
                group["lr"] = rate
            ddp.zero_grad()
            ddp().backward()
            for sum_, p, mine, rate in zip(owed, ddp.module.parameters(), ddp.module.given, rates(step)):
                sum_ += rate * mine.double() - rate * p.grad.double()
        memory = handle.state_dict()["ranks"][str(dist.get_rank())]
    for name, sum_ in zip("ab", owed):  # the delivered gradient is the mean: over the ranks both sides are sums
        sum_ -= memory[name]["e"].to(DEVICE).double().reshape(64, 64)
        dist.all_reduce(sum_)
        assert sum_.abs().max() < 1e-4, f"{name}: {sum_.abs().max()}"


def first_step(optimizer_of, method="ec", **options):
    ddp = make_ddp(Pair().to(DEVICE))
    optimizer = optimizer_of(ddp.module)  # held: the handle does not keep it alive
    with gradwire.attach(ddp, method, optimizer=optimizer, start_iter=0, **options):
        with torch.no_grad():
            ddp()  # asks for nothing
        ddp().backward()


@law
def rates_that_cannot_be_meant_are_refused_by_name():
    raises(ValueError, ["parameter b", "add_param_group", "as a list"], lambda: first_step(lambda m: torch.optim.SGD([m.a], lr=1.0)))
    twice = lambda m: [torch.optim.SGD([m.a, m.b], lr=1.0), torch.optim.SGD([m.b], lr=0.5)]  # noqa: E731
    raises(ValueError, ["parameter b", "1.0 and 0.5"], lambda: first_step(twice))
    raises(ValueError, ["Linear", "torch.optim.Optimizer"], lambda: first_step(lambda m: nn.Linear(2, 2)))
    for rate in (-0.1, float("inf"), float("nan")):
        def bad(model, rate=rate):
            optimizer, _ = two_groups(model)
            optimizer.param_groups[1]["lr"] = rate
            return optimizer
        raises(RuntimeError, ["parameter b", "learning rate", "0 or more"], lambda: first_step(bad))


@law
def what_a_handle_follows_and_is_gone_is_an_error():
    ddp = make_ddp(Pair().to(DEVICE))
    scaler, optimizer = torch.amp.GradScaler(DEVICE.type), torch.optim.SGD(ddp.parameters(), lr=0.1)
    with gradwire.attach(ddp, "ec", start_iter=0, grad_scaler=scaler, optimizer=optimizer):
        optimizer.param_groups[0].pop("lr")
        raises(ValueError, ["optimizer=", "no lr"], ddp)
        del optimizer
        raises(RuntimeError, ["optimizer= is gone"], ddp)
        del scaler
        raises(RuntimeError, ["grad_scaler= is gone"], ddp)


@law
def ranks_with_other_rates_notice_it():
    def own(model):
        return torch.optim.SGD([model.a, model.b], lr=0.1 * (1 + dist.get_rank()))

    try:
        first_step(own, timeout_s=20)
    except RuntimeError as error:
        assert "step sizes differ" in str(error) or "says rank" in str(error) or "is gone" in str(error), error
    else:
        raise AssertionError("every rank has a rate of its own")
