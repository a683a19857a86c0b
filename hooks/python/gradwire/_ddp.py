# SPDX-License-Identifier: Apache-2.0
"""The door for torch.nn.parallel.DistributedDataParallel."""

import atexit
import collections
import contextlib
import logging
import os
import warnings
import weakref
from collections.abc import Sequence
from typing import Any, NoReturn, Optional

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from gradwire import _arguments, _C, _forward, _rates, _settings, _state

_attached: collections.Counter[str] = collections.Counter()  # by the name of the group
_open: "weakref.WeakSet[CommState]" = weakref.WeakSet()
reads_environment = False  # whether there has been a group over the backend


class CommState:
    """Compresses the gradients of one DDP, over a Gloo group of its own beside the DDP's group.

    `attach` makes one and installs it in C++; made by hand, it is the state of `comm_hook`:

        state = gradwire.CommState(ddp, method="ef21", compressor="topk:1%")
        ddp.register_comm_hook(state, gradwire.comm_hook)

    Arguments are those of `attach`. All ranks of the group make it alike. Its methods are for the thread that trains, and
    belong between two steps. It is neither copied nor pickled; copies and files of the DDP are those of a plain one.
    """

    def __init__(
        self,
        ddp: DistributedDataParallel,
        method: str = "auto",
        compressor: str = "auto",
        *,
        down: str | None = None,
        topology: str = "auto",
        start_iter: int = 2,
        min_compress_numel: int = 1024,
        grad_scaler: torch.amp.GradScaler | None = None,
        optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer] | None = None,
        seed: int = 0,
        timeout_s: float = 300,
        **comm: Any,
    ) -> None:
        ddp = _arguments.ddp_of(ddp)
        group = ddp.process_group.group_name
        place = _attached[group]
        _attached[group] += 1  # before anything can raise: a mistake of one rank leaves the others' next attempt with the same name
        _arguments.check_free(ddp)
        _check_environment()
        seed = _arguments.check_seed(0 if seed is None else seed, "gradwire.attach")
        _arguments.check_scaler(grad_scaler, "gradwire.attach")
        optimizers = _arguments.optimizers_of(optimizer, "gradwire.attach", ddp)
        self._settings = _settings.from_keywords(
            dict(method=method, compressor=compressor, down=down, topology=topology, start_iter=start_iter,
                 min_compress_numel=min_compress_numel, timeout_s=timeout_s, **comm), "gradwire.attach")  # fmt: skip
        inside = _C.steps_inside(self._settings)
        if inside and not optimizers:
            raise _C.ConfigError(f"gradwire.attach: method {method} keeps its memory in units of the step: expected optimizer=, whose learning rates it reads")
        named = _covered(ddp, grad_scaler is not None, float(dict(self._settings).get("noise", 0)) > 0)
        self._names = [name for name, _ in named]
        self._parameters = [parameter for _, parameter in named] if inside else []
        self._rank, self._size = dist.get_rank(ddp.process_group), dist.get_world_size(ddp.process_group)
        self._hook = _make_hook(ddp, f"gradwire/{group}/{place}", named, self._settings, seed, grad_scaler is not None)
        if (reason := self._hook.answer()[1]) and self._rank == 0:
            logging.getLogger("gradwire").info(reason)
        if self._rank == 0 and (notice := _C.factor_notice(self._running(), [(name, list(parameter.shape)) for name, parameter in named])):
            logging.getLogger("gradwire").info(notice)
        self._scaler = _forward.weak(grad_scaler) if grad_scaler is not None else None
        self._optimizers = [_forward.weak(each) for each in optimizers] if inside else []
        ddp._comm_hooks = _forward.PlainHooks(ddp._comm_hooks)
        if grad_scaler is not None or self._optimizers:
            with contextlib.suppress(_C.ConfigError):  # groups may come later, and a rank without a forward may join
                self._follow()
            _forward.follow(ddp, self)
        _open.add(self)

    @property
    def name(self) -> str:
        """E.g. "gradwire: ef, topk:1%"; DDP's logger reports it."""
        return "gradwire: {}, {}".format(*_C.describe(self._running()))

    def _running(self) -> _settings.Settings:
        """The settings of what is exchanged: those asked for, or dense ones where `when="pays"` stays with them."""
        return self._settings if self._hook.answer()[0] != "dense" else [("method", "none")]

    def stats(self) -> dict[str, Any]:
        """What this rank has exchanged since it began: in total, and under "buckets" by the index of the bucket.

        bytes (frames and payloads handed to the transport), frame_bytes, dense_bytes (what a ring all-reduce of the same
        gradients would have sent), ratio, pushes (buckets exchanged), encode_ms and decode_ms (of the exchange's thread),
        wire_ms (waits for peers, summed over buckets that may wait together), residual_norm (as it is now), reducer. Waits for
        the buckets under way.

        reducer is "gradwire", or "ddp" where DDP's own all-reduce does all that was asked for (`attach`). Then bytes and pushes
        are what DDP's counters say that a ring sends, and wire_ms is NaN, since nobody measures it.

        when is what `when=` came to, "always", "compress" or "dense", and reason the sentence with the numbers that says why.
        """
        own = not self._hook.reduces()
        buckets = self._hook.totals()
        total = {key: sum(bucket[key] for bucket in buckets.values()) for key in _SUMMED}
        total["residual_norm"] = sum(bucket["residual_norm"] ** 2 for bucket in buckets.values()) ** 0.5
        for entry in (*buckets.values(), total):
            entry["ratio"] = entry["bytes"] / entry["dense_bytes"] if entry["dense_bytes"] else 0.0
            if own:
                entry["wire_ms"] = float("nan")
        when, reason = self._hook.answer()
        return {**total, "reducer": "ddp" if own else "gradwire", "when": when, "reason": reason, "buckets": buckets}

    def state_dict(self) -> dict[str, Any]:
        """This rank's memory: step, what it belongs to, and by parameter name the vectors of its links, as copies (1-D, float32 or
        float64, a parameter's elements row by row whatever its memory format).

        For torch.save, a file for each rank, or torch.distributed.checkpoint, which keeps all ranks' entries.
        """
        return _state.pack(self._hook.step(), self._hook.save(), self._names, self._rank, self._size, _C.topology(self._running()), dict(self._running()).get("piece", "fixed"))

    def load_state_dict(self, state: dict[str, Any], *, reset: bool = False) -> None:
        """Replaces the memory by that of a `state_dict`: training goes on with the same bits.

        With another world size `state` must hold all old ranks (`merge_state_dicts`); every rank then starts from the mean
        of their memory. These may differ as well: threads, timeout_s, start_iter, grad_scaler, DDP's buckets, the model's memory
        format, and wrappers that change names (torch.compile, checkpoint_wrapper, DistributedDataParallel). With topology
        sharded the pieces of a large parameter have owners, and its memory format must be that of the save: choose it
        before the model becomes a DDP.

        With `when="pays"` the save's answer is the job's from now on, so that all ranks load alike; compressed gradients that have
        been exchanged already go on as dense ones through the hook, with DDP's bits for float32 and float64.

        Raises Error, with the difference, where anything else is not as it was (method, operators, learner, way back,
        topology, piece, seed, dtype, a parameter's name or shape or whether it is compressed), where vectors or ranks are
        missing, and where an element is not finite. reset=True goes on from the state's step with an empty memory.
        """
        if reset:
            return self._hook.reset(_state.step_of(state))
        own, old_ranks = _state.unpack(state, self._names, self._rank, self._size)
        if own is not None:
            self._hook.load(state["step"], own)
        else:
            self._hook.load_resharded(state["step"], old_ranks)

    def close(self) -> None:
        """Finishes what is under way and leaves the group. Idempotent; called at exit. A later backward() raises."""
        self._hook.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a gradwire handle cannot be copied or pickled, since it holds connections to other ranks: save handle.state_dict(), and attach the copied or loaded DistributedDataParallel anew")

    def __enter__(self) -> "CommState":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_hook"):  # else __init__ raised
            self._hook.close()

    def _follow_scaler(self) -> None:
        if self._scaler is None:
            return
        if (scaler := self._scaler()) is None:
            raise _C.Error("gradwire: the grad_scaler= is gone, and with it the scale: expected the one that the training loop uses")
        if scaler.is_enabled():
            self._hook.set_scale(scaler.get_scale())

    def _follow(self) -> None:
        self._follow_scaler()
        if self._optimizers:
            optimizers = [each() for each in self._optimizers]
            if None in optimizers:
                raise _C.Error("gradwire: an optimizer of optimizer= is gone, and with it the learning rates: expected the one that the training loop steps")
            self._hook.set_lrs(_rates.of(optimizers, self._names, self._parameters))


NOT_SETTINGS = ("grad_scaler", "optimizer", "seed")  # arguments that are no keys of the `comm:` section
_SUMMED = ("bytes", "frame_bytes", "dense_bytes", "pushes", "encode_ms", "wire_ms", "decode_ms")


def attach(ddp: DistributedDataParallel, method: str = "auto", compressor: str = "auto", **options: Any) -> CommState:
    """From now on the gradients of `ddp` cross the wire compressed. The hook is C++ and never takes the GIL.

    Args:
        ddp: all ranks of its process group call this alike, before the first backward; the wrapper that torch.compile or
            Lightning's Fabric has put around one will do.
        method: a method of `python -m gradwire`, e.g. "ef" (error feedback; "auto" is that), "ef21", "diana", "none" (dense: DDP's own
            all-reduce stays as it is, with its group's time-out, unless timeout_s or anything else is asked for).
        compressor: an operator such as "sign", "topk:1%", "qsgd:7"; "auto" is the method's usual one.
        when: "always", or "pays": the ranks measure the link and themselves for about 3 s, and leave DDP its own all-reduce where
            compression would lose (as method "none"); stats() and the log "gradwire" say which and why. "auto" is "pays" where
            neither a method nor an operator is named, else "always". `load_state_dict` takes the answer of the save.
        down: link of the way back from the owners of the pieces, "raw", "ef" or "dore"; None: the method's.
        topology: "auto", "allgather", "sharded", "allreduce" or "factors".
        start_iter: the first steps, so many, are dense.
        min_compress_numel: parameters with fewer elements travel dense, as 1-D ones do (compress_1d=True changes that).
        grad_scaler: the GradScaler of the loop. Memory is kept in units of the unscaled gradient, and a step that any
            rank has to skip leaves it as it was on all ranks. That holds for a loop with one optimizer, of this DDP's
            parameters alone: a GradScaler skips by optimizer, and a hook sees gradients.
        optimizer: for methods with the step size inside (ec, ec_diana, dore): the optimizer that steps along the gradients,
            or a list where several share them. At each forward pass every parameter takes the learning rate that its group
            has then, and that is the one to step with after the backward pass; schedulers step after the optimizer. At 0
            nothing is delivered and nothing lost. All ranks must have the same rates; a rank that receives a gradient of
            another rate raises.
        seed: of the operators' random bits, an integer >= 0.
        timeout_s: seconds that any wait for another rank may take before backward() raises.
        **comm: any other key of the `comm:` section of configs/README.md.

    Returns the handle: stats, state_dict, load_state_dict, close.

    Raises ConfigError (a ValueError) for settings that cannot work, or that differ between ranks, with the difference;
    Error (a RuntimeError) where the DDP has a hook already, or ranks do not answer; backward() raises RuntimeError
    that names the rank which died or did not answer in time.
    """
    ddp = _arguments.ddp_of(ddp)
    state = CommState(ddp, method, compressor, **options)
    try:
        state._hook.install(ddp.reducer)
    except RuntimeError as error:
        state.close()
        raise _C.Error(f"gradwire.attach: this DistributedDataParallel has a communication hook already ({error}): one DDP can have one") from error
    ddp.logger._set_comm_hook_name(state.name)
    _forward.handles[ddp] = state
    return state


def handle_of(ddp: DistributedDataParallel) -> Optional[CommState]:
    """The handle that `attach` returned, or that the "gradwire" backend made at the first forward; None before."""
    return _forward.handles.get(_arguments.unwrapped(ddp))


def comm_hook(state: CommState, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """For `ddp.register_comm_hook(state, gradwire.comm_hook)`. Takes the GIL once a bucket; `attach` does not."""
    return state._hook.push(bucket).then(lambda future: future.value())


def _check_environment() -> None:
    """`attach` takes keywords; what the environment says beside them is for DDPs over the backend, or for nobody."""
    _C.check_environment(list(os.environ))
    ignored = [name for name, _, is_setting in _C.environment() if is_setting and name in os.environ]
    if ignored and not reads_environment:
        warnings.warn(f"gradwire.attach takes its settings as keywords, and does not read {', '.join(ignored)}: those are of the backend \"gradwire\"", stacklevel=4)


def _covered(ddp: DistributedDataParallel, scaled: bool, noisy: bool) -> list[tuple[str, torch.Tensor]]:
    """Name and parameter of what the DDP reduces and the exchange takes, in the order that all ranks share: whatever required a
    gradient when the DDP was made, whether or not it does now, but for parameters with sparse gradients."""
    if getattr(ddp, "reducer", None) is None:
        raise _C.ConfigError("gradwire.attach: this DistributedDataParallel reduces nothing (delay_all_reduce_named_params has all its parameters): expected one that averages gradients in backward")
    covered = _C.covered_by(ddp.reducer)
    full = {id(parameter): name for name, parameter in ddp.module.named_parameters()}
    names = _C.canonical_names([full.get(id(parameter), f"parameter {i}") for i, (parameter, _) in enumerate(covered)])
    named = []
    for name, (parameter, is_sparse) in zip(names, covered):
        if not parameter.is_floating_point():
            raise _C.ConfigError(f"gradwire.attach: parameter {name} is {parameter.dtype}: expected floating-point parameters; complex ones cannot be compressed")
        if is_sparse and noisy:
            raise _C.ConfigError(f"gradwire.attach: noise: the gradient of {name} is sparse, and is averaged as it is: expected sparse=False, or noise=0")
        if is_sparse and scaled:
            raise _C.ConfigError(f"gradwire.attach: the gradient of {name} is sparse, and a step that the GradScaler skips for it could not be undone: expected sparse=False, or no grad_scaler=")
        if not is_sparse:
            named.append((name, parameter))
    return named


def _make_hook(ddp: DistributedDataParallel, prefix: str, named: list, settings: _settings.Settings, seed: int, scaled: bool) -> _C.DdpHook:
    if notice := _C.notice(settings):
        warnings.warn(notice, stacklevel=3)
    world_size, group = dist.get_world_size(), ddp.process_group
    return _C.make_hook(named, ddp.reducer, group, prefix, world_size, int(os.environ.get("LOCAL_WORLD_SIZE", world_size)), settings, seed, scaled)


@atexit.register
def _close_all() -> None:
    for state in list(_open):
        state.close()
