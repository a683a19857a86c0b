# SPDX-License-Identifier: Apache-2.0
"""What the links remember, as plain dictionaries of tensors by the parameters' names.

    {"version": 1, "step": 120, "world_size": 4, "topology": "allgather",
     "piece": "fixed", "ranks": {"2": {"layer1.weight": {"e": Tensor}}}}

A rank's dictionary has its own entry in "ranks". Keys do not clash, so that torch.distributed.checkpoint keeps all of
them, and `merge_state_dicts` makes one dictionary of several files.
"""

from __future__ import annotations

from typing import Iterable

import torch

from gradwire import _C

_VERSION = 1
_WAY_BACK = "down."  # prefix of the memory of the way back


def pack(step: int, vectors: list, names: list[str], rank: int, size: int, topology: str, piece: str) -> dict:
    """The state_dict of one rank."""
    mine: dict[str, dict[str, torch.Tensor]] = {}
    for vector in vectors:
        key = (_WAY_BACK if vector.down else "") + vector.name
        mine.setdefault(names[vector.parameter], {})[key] = vector.values
    return {"version": _VERSION, "step": step, "world_size": size, "topology": topology, "piece": piece, "ranks": {str(rank): mine}}


def unpack(state: dict, names: list[str], rank: int, size: int) -> tuple[list | None, list[list]]:
    """This rank's vectors where the world size is that of the state; else None, and those of all old ranks."""
    _check(state)
    ranks = state["ranks"]
    if state["world_size"] == size and str(rank) in ranks:
        return _vectors(ranks[str(rank)], names), []
    if len(ranks) == state["world_size"]:
        return None, [_vectors(memory, names) for memory in ranks.values()]
    raise _C.Error(
        f"load_state_dict: the state has the memory of ranks {', '.join(sorted(ranks))} of {state['world_size']}, and this "
        f"is rank {rank} of {size}: expected this rank's, or those of all old ranks (gradwire.merge_state_dicts)"
    )


def merge_state_dicts(states: Iterable[dict]) -> dict:
    """One dictionary with the memory of all ranks, of theirs in any order. Raises Error where they are not of one save."""
    states = list(states)
    for state in states:
        _check(state)
    same = ("step", "world_size", "topology", "piece")
    for key in same:
        values = {state[key] for state in states}
        if len(values) != 1:
            raise _C.Error(f"merge_state_dicts: {key} differs: {sorted(map(str, values))}; expected one save of one job")
    merged = {key: states[0][key] for key in ("version", *same)}
    return {**merged, "ranks": {rank: memory for state in states for rank, memory in state["ranks"].items()}}


def _check(state: dict) -> None:
    if not isinstance(state, dict) or state.get("version") != _VERSION or "ranks" not in state:
        raise _C.Error(f"not a gradwire state_dict of version {_VERSION}: expected what CommState.state_dict() returned")


def _vectors(memory: dict, names: list[str]) -> list:
    ids = {name: index for index, name in enumerate(names)}
    unknown = sorted(set(memory) - set(ids))
    if unknown:
        raise _C.Error(f"load_state_dict: the model has no trainable parameter {unknown[0]!r} (of {len(unknown)} such): it is another model's")
    return [
        _C.MemoryTensor(key.startswith(_WAY_BACK), ids[name], key.removeprefix(_WAY_BACK), values.detach().cpu())
        for name, keys in memory.items()
        for key, values in keys.items()
    ]
