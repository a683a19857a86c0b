# SPDX-License-Identifier: Apache-2.0
"""What belongs to a DistributedDataParallel and is not kept in it.

A copy or a file of a DDP is that of a plain one, since nothing of ours stands in its dictionary, in its hooks or in those
of torch.nn: handles are in a table that does not keep the DDP alive, and what has to come before a forward is called from
DDP's own class, whose `_pre_forward` is wrapped once there is a group or a handle that needs it.
"""

import functools
import weakref
from typing import Any, Callable

import torch
from torch.nn.parallel import DistributedDataParallel

handles: "weakref.WeakKeyDictionary[DistributedDataParallel, Any]" = weakref.WeakKeyDictionary()  # live as long as the DDP
_calls: list[Callable[[DistributedDataParallel], None]] = []


def before(call: Callable[[DistributedDataParallel], None]) -> None:
    """From now on every forward of any DDP begins with `call(ddp)`, in the order of these calls, if the gradients of a
    backward pass after it would be reduced: gradients are enabled, and it is not under no_sync()."""
    _wrap()
    if call not in _calls:
        _calls.append(call)


@functools.cache
def _wrap() -> None:
    DistributedDataParallel._pre_forward = _wrapped(DistributedDataParallel._pre_forward)


def _wrapped(plain: Callable[..., Any]) -> Callable[..., Any]:
    @torch.compiler.disable
    @functools.wraps(plain)
    def _pre_forward(self: DistributedDataParallel, *inputs: Any, **kwargs: Any) -> Any:
        if torch.is_grad_enabled() and self.require_backward_grad_sync:
            for call in _calls:
                call(self)
            for state in list(_followers.get(self, ())):  # of those that a call has just attached as well
                state._follow()
        return plain(self, *inputs, **kwargs)

    return _pre_forward


_followers: "weakref.WeakKeyDictionary[DistributedDataParallel, weakref.WeakSet]" = weakref.WeakKeyDictionary()


def follow(ddp: DistributedDataParallel, state: Any) -> None:
    """From now on `state._follow()` is called before such a forward, as long as both live."""
    _followers.setdefault(ddp, weakref.WeakSet()).add(state)
    _wrap()


def weak(thing: Any) -> Callable[[], Any]:
    """An optimizer may hold the model that a handle belongs to, and the handle would then never go."""
    return weakref.ref(thing) if thing is not None else lambda: None


class PlainHooks(list):
    """A DDP's list of what register_comm_hook was called with. DDP copies and pickles it, though a copy's reducer has no
    hook: this one as a plain list, without those of this package."""

    def __reduce__(self) -> tuple:
        return list, ([(hook, state) for hook, state in self if type(state).__module__.partition(".")[0] != "gradwire"],)
