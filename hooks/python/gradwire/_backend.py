# SPDX-License-Identifier: Apache-2.0
"""The door for scripts that stay as they are: init_process_group("gradwire").

The backend forwards every call exactly, to Gloo for CPU tensors and NCCL for CUDA tensors. What is compressed are the
gradients of a DistributedDataParallel over such a group: its first forward that a backward can follow attaches the hook of
`gradwire.attach`.
"""

from __future__ import annotations

import atexit
import os
import re
import warnings
import weakref
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from gradwire import _arguments, _C, _ddp, _file, _forward, _settings

_interceptors: dict[str, Any] = {}  # by the name of the group
_configured: dict[str, Any] = {}
_left_alone: "weakref.WeakSet[DistributedDataParallel]" = weakref.WeakSet()
_ENVIRONMENT = "GRADWIRE_"
_INTERCEPT = ("intercept", "min_bucket_numel")
NOT_SETTINGS = (*_ddp.NOT_SETTINGS, *_INTERCEPT)


def configure(**options: Any) -> None:
    """What DDPs over the "gradwire" backend are attached with: keywords of `attach`, e.g. compressor="topk:1%".

    Wins over the environment (GRADWIRE_COMPRESSOR, GRADWIRE_METHOD, ..., GRADWIRE_SEED), which wins over the `comm:` section
    of the YAML file that GRADWIRE_CONFIG names. Takes effect for DDPs whose first forward is still to come; a later call
    replaces an earlier one. Raises ConfigError (a ValueError).

    intercept="allreduce", before the group is made: compresses also the all-reduces that other reducers than DDP make
    inside a backward pass, of 1-D floating tensors with at least min_bucket_numel (65536) elements, by SUM or AVG, from the
    second pass on. Their memory goes by order and size, since they have no names. No grad_scaler and no optimizer can be
    followed there.
    """
    options = {key: value for key, value in options.items() if value is not None}  # None is the default
    _options(options)
    _configured.clear()
    _configured.update(options)


def register() -> None:
    """Makes the name known to torch.distributed. The entry point of torch >= 2.14; `import gradwire` calls it as well."""
    global _registered
    if not _registered:
        dist.Backend.register_backend("gradwire", _create, extended_api=True, devices=["cpu", "cuda"])
    _registered = True


_registered = False


def _create(options: Any, _: Any) -> Any:
    """One backend for all devices of a group."""
    store, rank, size = options.store, options.group_rank, options.group_size
    inner = [("cpu", dist.ProcessGroupGloo(dist.PrefixStore("gradwire/cpu", store), rank, size, timeout=options.timeout))]
    if torch.cuda.is_available() and dist.is_nccl_available():
        nccl = dist.ProcessGroupNCCL.Options()
        nccl._timeout = options.timeout
        inner.append(("cuda", dist.ProcessGroupNCCL(dist.PrefixStore("gradwire/cuda", store), rank, size, nccl)))
    interceptor = _interceptor(options, _options(_configured))  # a mistake in the environment shows here, before anything is trained
    _interceptors.pop(options.group_id, None)  # of a group of that name before it
    if interceptor is not None:
        _interceptors[options.group_id] = interceptor
    _forward.before(_attach)
    _ddp.reads_environment = True
    return _C.wrap_backends(inner, interceptor)


def _interceptor(options: Any, settings: dict[str, Any]) -> Any:
    """What takes other reducers' all-reduces of gradients; None where it is not asked for."""
    if settings.get("intercept", "none") == "none":
        return None
    comm = _settings.from_keywords({key: value for key, value in settings.items() if key not in NOT_SETTINGS}, "gradwire")
    world = int(os.environ.get("WORLD_SIZE", options.group_size))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", world))
    return _C.AllReduceInterceptor(
        options.store, options.group_rank, options.group_size, world, local, comm, settings.get("seed", 0),
        int(settings.get("min_bucket_numel", 65536)))  # fmt: skip


def intercepted(group: dist.ProcessGroup | None = None) -> dict[int, dict[str, Any]]:
    """With `intercept="allreduce"`: what the group's taken all-reduces have sent, by their place in a backward pass, with the
    keys of `CommState.stats`; empty before the second pass and where nothing is intercepted."""
    group = group or dist.group.WORLD
    interceptor = _interceptors.get(group.group_name) if _is_ours(group) else None
    return interceptor.totals() if interceptor is not None else {}


@atexit.register
def _close_all() -> None:
    for interceptor in _interceptors.values():
        interceptor.close()


def _is_ours(group: dist.ProcessGroup) -> bool:
    """By its backend: names of groups come back after destroy_process_group."""
    try:
        backends = dist.get_backend_config(group)  # e.g. "cpu:gradwire,cuda:gradwire"
    except Exception:  # a group that was made by hand, which torch.distributed does not know
        return False
    return "gradwire" in re.split("[:,]", backends)


def _attach(ddp: DistributedDataParallel) -> None:
    """Before a forward that a backward can follow."""
    if ddp in _forward.handles or ddp in _left_alone or not _is_ours(ddp.process_group):
        return
    if not any(p.requires_grad for p in ddp.parameters()):
        return
    if hook := _arguments.hook_name(ddp):
        warnings.warn(f"gradwire: a DistributedDataParallel has a communication hook of its own ({hook}); it stays as it is", stacklevel=2)
        _left_alone.add(ddp)
        return
    options = _options(_configured)
    _ddp.attach(ddp, **{key: value for key, value in options.items() if key not in _INTERCEPT})


def _options(configured: dict[str, Any]) -> dict[str, Any]:
    """Keywords for `attach` from the file, the environment and `configure`, in this order. Raises ConfigError."""
    options = {**_from_environment(), **configured}
    place = "gradwire, from configure(), the environment and GRADWIRE_CONFIG"
    settings = _settings.from_keywords({key: value for key, value in options.items() if key not in NOT_SETTINGS}, place)
    _arguments.check_seed(options.get("seed", 0), place)
    _arguments.check_scaler(options.get("grad_scaler"), place)
    _arguments.optimizers_of(options.get("optimizer"), place)
    _check_intercept(options, settings)
    return options


def _check_intercept(options: dict[str, Any], settings: _settings.Settings) -> None:
    intercept, least = options.get("intercept", "none"), options.get("min_bucket_numel")
    if intercept not in ("none", "allreduce"):
        raise _C.ConfigError(f"gradwire: intercept: found {intercept!r}, expected none or allreduce")
    if least is not None and (isinstance(least, bool) or not isinstance(least, int) or not 0 <= least < 2**63):
        raise _C.ConfigError(f"gradwire: min_bucket_numel: found {least!r}, expected an integer >= 0")
    if intercept == "none" and least is not None:
        raise _C.ConfigError(f"gradwire: min_bucket_numel: found {least}, which intercept=\"allreduce\" alone reads; expected both or neither")
    if intercept == "none":
        return
    for key in ("grad_scaler", "optimizer"):
        if options.get(key) is not None:
            raise _C.ConfigError(f"gradwire: intercept: all-reduces of other reducers cannot follow {key}=; expected intercept=\"none\", or no {key}")
    if dict(settings).get("when") == "pays":
        raise _C.ConfigError('gradwire: when: found pays, which measures before the gradients of a DDP come; expected "always", or intercept="none"')
    if _C.steps_inside(settings):
        raise _C.ConfigError("gradwire: intercept: this method keeps its memory in units of the step, which no other reducer tells; expected another one, such as ef or ef21")


def _from_environment() -> dict[str, Any]:
    """The settings of the environment over those of its file. Every GRADWIRE_ name is read, or refused."""
    _C.check_environment(list(os.environ))
    settings = {name: os.environ[name] for name, _, is_setting in _C.environment() if is_setting and name in os.environ}
    for name, value in settings.items():
        if not value:
            raise _C.ConfigError(f"environment: {name}: found nothing, expected a value; unset it for the default")
    file = settings.pop(_ENVIRONMENT + "CONFIG", None)
    options: dict[str, Any] = _file.settings_of(file) if file is not None else {}
    for name, value in settings.items():
        key = name.removeprefix(_ENVIRONMENT).lower()
        if key in ("seed", "min_bucket_numel"):
            options[key] = _count(name, value)
        else:
            if key != "intercept":
                _C.check_key(key, value, f"environment: {name}")
            options[key] = value
    return options


def _count(variable: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise _C.ConfigError(f"environment: {variable}: found {value!r}, expected an integer >= 0")
    return int(value)
