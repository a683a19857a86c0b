# SPDX-License-Identifier: Apache-2.0
"""Arguments that are objects: a DDP, a seed, a scaler, an optimizer. What is none of them is refused by name."""

import sys
from typing import Any, Iterator

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradwire import _C


def ddp_of(model: object) -> DistributedDataParallel:
    """The DDP itself, or that in the wrappers of torch.compile and of Lightning's Fabric around it."""
    if not dist.is_available() or not dist.is_initialized():
        raise _C.Error("gradwire.attach: no process group: call torch.distributed.init_process_group and wrap the model in DistributedDataParallel before")
    inner = unwrapped(model)
    if isinstance(inner, DistributedDataParallel):
        return inner
    found = type(model).__name__ + ("" if inner is model else f" around a {type(inner).__name__}")
    holder = inner.named_modules() if isinstance(inner, nn.Module) else ()
    if name := next((name for name, module in holder if isinstance(module, DistributedDataParallel)), None):
        raise TypeError(f"gradwire.attach: found a {found}, which holds a DistributedDataParallel as {name}: expected that one, `.{name}`")
    raise TypeError(f"gradwire.attach: found a {found}, expected a torch.nn.parallel.DistributedDataParallel: wrap the model in one before")


def unwrapped(model: object) -> object:
    """What torch.compile's and Fabric's wrappers are around."""
    while attribute := next((name for kind, name in _wrappers() if isinstance(model, kind)), None):
        model = getattr(model, attribute)
    return model


def _wrappers() -> Iterator[tuple[type, str]]:
    """Classes of wrappers that have been imported, and where they keep what they call."""
    for module, kind, attribute in (
        ("torch._dynamo.eval_frame", "OptimizedModule", "_orig_mod"),
        ("lightning.fabric.wrappers", "_FabricModule", "_forward_module"),
        ("lightning_fabric.wrappers", "_FabricModule", "_forward_module"),
    ):
        if found := getattr(sys.modules.get(module), kind, None):
            yield found, attribute


def hook_name(ddp: DistributedDataParallel) -> str:
    """Of the hook that its reducer has; empty where it has none. A copy's list of hooks tells of another reducer."""
    if getattr(ddp, "reducer", None) is None:
        return "delay_all_reduce_named_params, without a reducer"
    return ddp._get_ddp_logging_data().get("comm_hook", "")


def check_free(ddp: DistributedDataParallel) -> None:
    """Raises Error where it can take no hook."""
    if hook := hook_name(ddp):
        raise _C.Error(f"gradwire.attach: this DistributedDataParallel has a communication hook already ({hook}): one DDP can have one")
    if getattr(ddp, "_use_python_reducer", False):
        raise _C.Error('gradwire.attach: this DistributedDataParallel uses the Python reducer (torch._dynamo.config.optimize_ddp = "python_reducer"), which runs no C++ hook: expected "ddp_optimizer", the default')


def check_seed(seed: object, place: str) -> int:
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= seed.__index__() < 2**64:
        raise _C.ConfigError(f"{place}: seed: found {seed!r}, expected an integer from 0 to 2**64 - 1, the same on all ranks")
    return seed.__index__()


def check_scaler(scaler: Any, place: str) -> None:
    if scaler is not None and not all(callable(getattr(scaler, name, None)) for name in ("is_enabled", "get_scale")):
        raise _C.ConfigError(f"{place}: grad_scaler: found a {type(scaler).__name__}, expected the torch.amp.GradScaler of the training loop")


def optimizers_of(optimizer: Any, place: str, ddp: DistributedDataParallel | None = None) -> list[Any]:
    """One optimizer, a list of them or None as a list. With a DDP each must hold some of its parameters: groups may be added
    later, but not all of them."""
    optimizers = [] if optimizer is None else list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]
    for each in optimizers:
        if not isinstance(groups := getattr(each, "param_groups", None), list):
            raise _C.ConfigError(f"{place}: optimizer: found a {type(each).__name__}, expected the torch.optim.Optimizer of the model's parameters, or a list of them")
        held = {id(p) for group in groups for p in group["params"]}
        if ddp is not None and held.isdisjoint(id(p) for p in ddp.parameters()):
            raise _C.ConfigError(f"{place}: optimizer: this {type(each).__name__} holds none of the model's parameters: expected the optimizer that steps them")
    return optimizers
