# SPDX-License-Identifier: Apache-2.0
"""The door for scripts that stay as they are: init_process_group("gradwire").

The backend forwards every call exactly, to Gloo for CPU tensors and NCCL for CUDA tensors. What is compressed are the
gradients of a DistributedDataParallel over such a group: its first forward attaches the hook of `gradwire.attach`.
"""

from __future__ import annotations

import atexit
import os
import warnings
import weakref
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from gradwire import _C, _ddp, _settings

_groups: set[str] = set()  # names of the groups whose backend is ours
_interceptors: dict[str, Any] = {}  # by the name of the group
_configured: dict[str, Any] = {}
NOT_SETTINGS = (*_ddp.NOT_SETTINGS, "intercept", "min_bucket_numel")
_ENVIRONMENT = "GRADWIRE_"


def configure(**options: Any) -> None:
    """What DDPs over the "gradwire" backend are attached with: keywords of `attach`, e.g. compressor="topk:1%".

    Wins over the environment (GRADWIRE_COMPRESSOR, GRADWIRE_METHOD, ..., GRADWIRE_SEED), which wins over the `comm:` section
    of the YAML file that GRADWIRE_CONFIG names. Takes effect for DDPs whose first forward is still to come; a later call
    replaces an earlier one. Raises ConfigError (a ValueError).

    intercept="allreduce", before the group is made: compresses also the all-reduces that other reducers than DDP make
    inside a backward pass, of 1-D floating tensors with at least min_bucket_numel (65536) elements, by SUM or AVG, from the
    second pass on. Their memory goes by order and size, since they have no names.
    """
    _options(options)
    _configured.clear()
    _configured.update(options)


def register() -> None:
    """Makes the name known to torch.distributed. The entry point of torch >= 2.14; `import gradwire` calls it as well."""
    global _watching
    if _watching is None:
        dist.Backend.register_backend("gradwire", _create, extended_api=True, devices=["cpu", "cuda"])
        _watching = nn.modules.module.register_module_module_registration_hook(_watch)


_watching: Any = None


def _create(options: Any, _: Any) -> Any:
    """One backend for all devices of a group."""
    store, rank, size = options.store, options.group_rank, options.group_size
    inner = [("cpu", dist.ProcessGroupGloo(dist.PrefixStore("gradwire/cpu", store), rank, size, timeout=options.timeout))]
    if torch.cuda.is_available() and dist.is_nccl_available():
        nccl = dist.ProcessGroupNCCL.Options()
        nccl._timeout = options.timeout
        inner.append(("cuda", dist.ProcessGroupNCCL(dist.PrefixStore("gradwire/cuda", store), rank, size, nccl)))
    settings = _options(_configured)  # a mistake in the environment shows here, before anything is trained
    _groups.add(options.group_id)
    interceptor = _interceptor(options, settings)
    if interceptor is not None:
        _interceptors[options.group_id] = interceptor
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
    interceptor = _interceptors.get((group or dist.group.WORLD).group_name)
    return interceptor.totals() if interceptor is not None else {}


@atexit.register
def _close_all() -> None:
    for interceptor in _interceptors.values():
        interceptor.close()


def _watch(module: nn.Module, name: str, submodule: nn.Module | None) -> None:
    """Called by torch.nn for every module that is registered in another one: a DDP registers its model."""
    if name == "module" and isinstance(module, DistributedDataParallel):
        handle: list[Any] = []
        reference = weakref.ref(module)

        @torch.compiler.disable
        def first_forward(*_: object) -> None:
            if (ddp := reference()) is not None:
                _attach(ddp)
            handle.pop().remove()  # where it raised, the next forward does so as well

        handle.append(module.register_forward_pre_hook(first_forward))


def _attach(ddp: DistributedDataParallel) -> None:
    if ddp.process_group.group_name not in _groups or _ddp.handle_of(ddp) is not None:
        return
    hook = ddp._get_ddp_logging_data().get("comm_hook", "")
    if hook or ddp._comm_hooks:
        warnings.warn(f"gradwire: a DistributedDataParallel has a communication hook of its own ({hook}); it stays as it is", stacklevel=2)
        return
    options = _options(_configured)
    _ddp.attach(ddp, **{key: value for key, value in options.items() if key not in ("intercept", "min_bucket_numel")})


def _options(configured: dict[str, Any]) -> dict[str, Any]:
    """Keywords for `attach` from the file, the environment and `configure`, in this order. Raises ConfigError."""
    keys = [name for name, _, _ in _C.comm_keys() if name != "bucket_cap_mb"]
    options = _settings.from_file(os.environ[_ENVIRONMENT + "CONFIG"]) if os.environ.get(_ENVIRONMENT + "CONFIG") else {}
    for variable, value in os.environ.items():
        key = variable.removeprefix(_ENVIRONMENT).lower()
        if not variable.startswith(_ENVIRONMENT) or variable == _ENVIRONMENT + "CONFIG":
            continue
        if key in ("seed", "min_bucket_numel"):
            options[key] = _count(variable, value)
        elif key == "intercept":
            options[key] = value
        elif key in keys:
            _C.check_key(key, value, f"environment: {variable}")
            options[key] = value
        elif nearest := _C.nearest(key, [*keys, "seed", "config", "intercept", "min_bucket_numel"]):
            raise _C.ConfigError(f"environment: {variable} is no setting; did you mean {_ENVIRONMENT}{nearest.upper()}?")
    options.update(configured)
    if options.get("intercept", "none") not in ("none", "allreduce"):
        raise _C.ConfigError(f"gradwire: intercept: found {options['intercept']!r}, expected none or allreduce")
    settings = {key: value for key, value in options.items() if key not in NOT_SETTINGS}
    _settings.from_keywords(settings, "gradwire, from configure(), the environment and GRADWIRE_CONFIG")
    return options


def _count(variable: str, value: str) -> int:
    if not value.isdecimal():
        raise _C.ConfigError(f"environment: {variable}: found {value!r}, expected an integer >= 0")
    return int(value)
