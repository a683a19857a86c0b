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
_PIECE = 65536  # elements of a piece, unless it is a whole tensor


def pack(step: int, vectors: list, names: list[str], rank: int, size: int, topology: str, piece: str) -> dict:
    """The state_dict of one rank."""
    mine: dict[str, dict[str, torch.Tensor]] = {}
    for vector in vectors:
        key = (_WAY_BACK if vector.down else "") + vector.name
        mine.setdefault(names[vector.parameter], {})[key] = vector.values
    return {"version": _VERSION, "step": step, "world_size": size, "topology": topology, "piece": piece, "ranks": {str(rank): mine}}


def unpack(state: dict, names: list[str], rank: int, size: int) -> tuple[int, list]:
    """Step and vectors for this rank: its own where the world size is that of the state, else the old ranks' mean."""
    _check(state)
    ranks = state["ranks"]
    if state["world_size"] == size and str(rank) in ranks:
        mine = ranks[str(rank)]
    elif len(ranks) == state["world_size"]:
        mine = _reshard(list(ranks.values()), state["topology"])
        _keep_owned(mine, state, names, rank, size)
    else:
        raise _C.Error(
            f"load_state_dict: the state has the memory of ranks {', '.join(sorted(ranks))} of {state['world_size']}, and this "
            f"is rank {rank} of {size}: expected this rank's, or those of all old ranks (gradwire.merge_state_dicts)"
        )
    return state["step"], _vectors(mine, names)


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
        _C.SavedVector(key.startswith(_WAY_BACK), ids[name], key.removeprefix(_WAY_BACK), values.detach().cpu())
        for name, keys in memory.items()
        for key, values in keys.items()
    ]


def _keep_owned(memory: dict, state: dict, names: list[str], rank: int, size: int) -> None:
    """With the sharded topology rank (parameter + piece) mod size owns a piece; another change of the world would sum what
    more than one rank held of it."""
    if state["topology"] != "sharded":
        return
    for parameter, name in enumerate(names):
        for key, values in memory.get(name, {}).items():
            if key != "mean h" and (not key.startswith(_WAY_BACK) or key == _WAY_BACK + "mean h"):
                continue
            step = _PIECE if state["piece"] == "fixed" else max(1, values.numel())
            for piece, begin in enumerate(range(0, values.numel(), step)):
                if (parameter + piece) % size != rank:
                    values[begin : begin + step] = 0


def _reshard(ranks: list[dict], topology: str) -> dict:
    """Every new rank starts from the old ranks' mean, so that the virtual iterate x - mean e does not jump.

    What receivers keep is the same on all ranks, or lies with the owners of the pieces and is zero elsewhere.
    """

    def combine(key: str, values: list[torch.Tensor]) -> torch.Tensor:
        if key == _WAY_BACK + "mean h" or (key == "mean h" and topology != "sharded"):
            return values[0].clone()
        total = torch.stack(values).sum(0)
        return total if key == "mean h" or key.startswith(_WAY_BACK) else total / len(values)

    return {
        name: {key: combine(key, [memory[name][key] for memory in ranks]) for key in keys} for name, keys in ranks[0].items()
    }
