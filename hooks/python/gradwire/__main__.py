# SPDX-License-Identifier: Apache-2.0
"""`python -m gradwire`: versions, and what there is to choose from. `python -m gradwire bench`: _bench.py."""

import inspect
import platform
import sys

import torch

import gradwire
from gradwire import _C


def main() -> None:
    print(f"gradwire {gradwire.__version__}, compiled for torch {_C.torch_version}; this is torch {torch.__version__}, Python {platform.python_version()}")
    print(f"instruction set {platform.machine()}, of torch's kernels {torch.backends.cpu.get_cpu_capability()}")
    for title, rows in (("Methods", _C.methods()), ("Operators", _C.compressors())):
        print(f"\n{title}")
        width = max(len(name) for name, _ in rows)
        for name, summary in rows:
            print(f"  {name:{width}}  {summary}")
    print("\nOther settings, as keyword arguments of gradwire.attach")
    own = {name: parameter.default for name, parameter in inspect.signature(gradwire.CommState).parameters.items()}
    for name, default, meaning in _C.comm_keys():
        if name not in ("method", "compressor", "bucket_cap_mb"):
            print(f"  {name}={default if own.get(name) is None else own[name]}  {meaning}")
    print("\nThe environment, of the backend \"gradwire\"; any other name that begins with GRADWIRE_, and an empty value, is refused")
    for name, meaning, _ in _C.environment():
        print(f"  {name}  {meaning}")
    print("\n`python -m gradwire bench kernels` and `bench exchange` measure what they cost here, `bench advise` says which pays; see their --help")


if __name__ == "__main__":
    if sys.argv[1:2] == ["bench"]:
        from gradwire import _bench

        sys.exit(_bench.main(sys.argv[1:]))
    main()
