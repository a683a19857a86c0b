# SPDX-License-Identifier: Apache-2.0
"""What the links remember, as plain dictionaries of tensors by the parameters' names.

    {"version": 2, "step": 120, "world_size": 4, "topology": "allgather", "piece": "fixed", "settings": "method: ef\\n...",
     "ranks": {"2": {"layer1.weight": {"e": Tensor}}}}

"settings" is what the memory belongs to, as lines; memory of other settings is refused with the lines that differ. A rank's
dictionary has its own entry in "ranks". Keys do not clash, so that torch.distributed.checkpoint keeps all of them, and
`merge_state_dicts` makes one dictionary of several files. Version 1 did not say what it belonged to, and in which order
elements lay: it is refused.
"""

from __future__ import annotations

from typing import Any, Iterable

import torch

from gradwire import _C

_VERSION = 2
_WAY_BACK = "down."  # prefix of the memory of the way back
_SAME = ("version", "step", "world_size", "topology", "piece")  # in all ranks' dictionaries of one save


def pack(step: int, memory: Any, names: list[str], rank: int, size: int, topology: str, piece: str) -> dict:
    """The state_dict of one rank."""
    mine: dict[str, dict[str, torch.Tensor]] = {}
    for vector in memory.vectors:
        key = (_WAY_BACK if vector.down else "") + vector.name
        mine.setdefault(names[vector.parameter], {})[key] = vector.values
    return {"version": _VERSION, "step": step, "world_size": size, "topology": topology, "piece": piece,
            "settings": memory.settings, "ranks": {str(rank): mine}}  # fmt: skip


def unpack(state: dict, names: list[str], rank: int, size: int) -> tuple[Any, list]:
    """This rank's memory where the world size is that of the state; else None, and that of all old ranks."""
    _check(state)
    ranks = state["ranks"]
    if state["world_size"] == size and str(rank) in ranks:
        return _memory(state, ranks[str(rank)], names), []
    if set(ranks) == {str(old) for old in range(state["world_size"])}:
        return None, [_memory(state, memory, names) for memory in ranks.values()]
    raise _C.Error(
        f"load_state_dict: the state has the memory of ranks {', '.join(sorted(ranks))} of {state['world_size']}, and this "
        f"is rank {rank} of {size}: expected this rank's, or those of all old ranks (gradwire.merge_state_dicts)"
    )


def step_of(state: dict) -> int:
    """Of a state of any version."""
    if not isinstance(state, dict) or not _is_count(state.get("step")) or not _is_count(state.get("version")):
        raise _C.Error("not a gradwire state_dict: expected what CommState.state_dict() returned")
    return state["step"]


def merge_state_dicts(states: Iterable[dict]) -> dict:
    """One dictionary with the memory of all ranks, of theirs in any order. Raises Error where they are not of one save."""
    states = list(states)
    if not states:
        raise _C.Error("merge_state_dicts: no state_dict: expected those of all ranks of one save")
    merged: dict = {**states[0], "ranks": {}}
    for state in states:
        _check(state)
        for key in _SAME:
            if state[key] != merged[key]:
                raise _C.Error(f"merge_state_dicts: {key} differs: {merged[key]} and {state[key]}; expected one save of one job")
        if difference := _C.memory_difference(merged["settings"], state["settings"]):
            raise _C.Error(f"merge_state_dicts: settings differ:{difference}\nexpected one save of one job")
        if twice := sorted(set(merged["ranks"]) & set(state["ranks"])):
            raise _C.Error(f"merge_state_dicts: rank {twice[0]} is there twice; expected each rank's state_dict once")
        merged["ranks"].update(state["ranks"])
    return merged


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check(state: dict) -> None:
    step_of(state)
    if state["version"] != _VERSION:
        raise _C.Error(
            f"a gradwire state_dict of version {state['version']}, expected {_VERSION}: version 1 does not say to which method and "
            "operators its memory belongs, nor in which order elements lie. load_state_dict(state, reset=True) goes on from its "
            "step with an empty memory"
        )
    good = _is_count(state.get("world_size")) and isinstance(state.get("settings"), str) and isinstance(state.get("ranks"), dict)
    if not good or any(key not in state for key in _SAME):
        raise _C.Error("a damaged gradwire state_dict: expected version, step, world_size, topology, piece, settings and ranks, as CommState.state_dict() returned them")


def _memory(state: dict, memory: dict, names: list[str]) -> Any:
    ids = {name: index for index, name in enumerate(names)}
    unknown = sorted(set(memory) - set(ids))
    if unknown:
        raise _C.Error(f"load_state_dict: the model has no parameter {unknown[0]!r} that DDP reduces (of {len(unknown)} such): it is another model's")
    return _C.RankMemory(state["settings"], [
        _C.MemoryTensor(key.startswith(_WAY_BACK), ids[name], key.removeprefix(_WAY_BACK), _vector(name, key, values))
        for name, keys in memory.items()
        for key, values in keys.items()
    ])  # fmt: skip


def _vector(name: str, key: str, values: object) -> torch.Tensor:
    if not isinstance(values, torch.Tensor) or values.dim() != 1 or not values.is_floating_point() or values.layout != torch.strided:
        found = f"{values.layout} {values.dtype} of shape {list(values.shape)}" if isinstance(values, torch.Tensor) else type(values).__name__
        raise _C.Error(f"load_state_dict: memory {key!r} of {name} is a {found}: expected a 1-D tensor of floats")
    return values.detach().cpu()
