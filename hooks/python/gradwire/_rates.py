# SPDX-License-Identifier: Apache-2.0
"""The learning rate of each parameter, as its optimizer's groups have it."""

from typing import Any

import torch

from gradwire import _C


def of(optimizers: list[Any], names: list[str], parameters: list[torch.Tensor]) -> list[float]:
    """By parameter, as its group has it now: groups come later too, and schedulers and people change rates. 0 for a frozen
    parameter in no group. Raises ConfigError that names a parameter whose rate is not known, or known twice."""
    by_id = dict(zip(map(id, parameters), names))
    rates: dict[int, float] = {}
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        if "lr" not in group:
            raise _C.ConfigError("gradwire: a group of optimizer= has no lr: expected an optimizer with a learning rate, or a method without the step size inside, e.g. ef")
        rate = float(group["lr"])
        for parameter in group["params"]:
            known = rates.setdefault(id(parameter), rate)
            if known is not rate and known != rate:
                raise _C.ConfigError(f"gradwire: parameter {by_id.get(id(parameter), '')} has the learning rates {known} and {rate} in two groups of optimizer=: expected one")
    for name, parameter in zip(names, parameters):
        if parameter.requires_grad and id(parameter) not in rates:
            raise _C.ConfigError(
                f"gradwire: parameter {name} is in no group of optimizer=, so that its learning rate is not known: expected it in one "
                "(add_param_group; with lr 0 where it shall rest), all optimizers of the model as a list, or requires_grad_(False)")  # fmt: skip
    return [rates.get(id(parameter), 0.0) for parameter in parameters]
