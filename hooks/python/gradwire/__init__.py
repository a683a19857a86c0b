# SPDX-License-Identifier: Apache-2.0
"""gradwire: compressed gradients for any torchrun job.

    import gradwire
    ddp = torch.nn.parallel.DistributedDataParallel(model)
    handle = gradwire.attach(ddp, method="ef", compressor="topk:1%")

After that the training loop is what it was: backward() leaves the mean of the gradients that the ranks could tell each
other, and what was left out is remembered and sent later. A script that must stay as it is says
`init_process_group("gradwire")` and is told the rest by the environment (GRADWIRE_COMPRESSOR=topk:1%). `python -m gradwire` lists methods and operators.
"""

import torch

from gradwire import _build


def _check_torch(found: str, built: str) -> None:
    """Raises ImportError where the module was compiled for another minor version of torch: its classes would differ."""
    if found.split(".")[:2] != built.split(".")[:2]:
        raise ImportError(
            f"gradwire was compiled for torch {built}, and this is torch {found}: expected the same minor version. "
            "Install it again beside this torch (`pip install --no-build-isolation .` in its source folder)"
        )


_check_torch(torch.__version__, _build.TORCH)

from gradwire._C import ConfigError, Error, PeerError, version as __version__  # noqa: E402
from gradwire._backend import configure, intercepted, register as _register  # noqa: E402
from gradwire._ddp import CommState, attach, comm_hook, handle_of  # noqa: E402
from gradwire._state import merge_state_dicts  # noqa: E402

__all__ = ["CommState", "ConfigError", "Error", "PeerError", "attach", "comm_hook", "configure", "handle_of", "intercepted", "merge_state_dicts"]

_register()
