# SPDX-License-Identifier: Apache-2.0
"""The layer rule of DESIGN.md section 5: a file may include only headers of its own layer and of those below it.

`python3 tests/layers.py` prints the violations of this tree. tests/layers_test.py tests it and the tree.
"""

import fnmatch
import pathlib
import posixpath
import re
import sys

CORE = ["base", "kernels", "wire", "compress", "link", "collective", "exchange", "method", "problem", "config"]

# What each layer may include besides itself.
BELOW = {
    "base": [],
    "kernels": ["base"],
    "wire": ["base", "kernels"],
    "compress": ["base", "kernels", "wire"],
    "link": ["base", "kernels", "wire", "compress"],
    "collective": ["base"],
    "exchange": ["base", "kernels", "wire", "compress", "link", "collective"],
    "method": CORE[:-3],
    "problem": CORE[:-2],
    "config": CORE[:-1],
    "c10d": CORE,
    "hooks": CORE + ["c10d"],
    "train": CORE + ["c10d", "hooks"],
}

# The layer of each header in include/gradwire/.
PUBLIC = {
    "base": ["element_order.h", "error.h", "names.h", "parameter.h", "philox.h", "piece.h", "purpose.h", "round.h", "site.h",
             "timeout.h"],
    "wire": ["wire.h"],
    "compress": ["compressor.h"],
    "link": ["link.h", "state_store.h"],
    "collective": ["collective.h", "thread_collective.h"],
    "exchange": ["bucket.h", "exchange.h", "exchange_thread.h", "link_end.h", "participation.h", "prox.h", "saved_memory.h"],
    "method": ["abilities.h", "async.h", "comm_config.h", "cost.h", "delayed.h", "method.h", "model_link.h", "model_round.h",
               "objective.h", "simulated_clock.h"],
    "problem": ["convex_worker.h", "estimator.h", "finite_sum.h", "libsvm.h", "problem.h", "theory.h"],
    "c10d": ["c10d_*.h"],
    "hooks": ["ddp*.h"],
}

TORCH = re.compile(r"(torch|ATen|c10|c10d|caffe2)/")
TORCH_VERSION = re.compile(r"\bTORCH_VERSION_(MAJOR|MINOR)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
CPP = {".h", ".cc", ".cu", ".cuh"}
SPDX = "SPDX-License-Identifier: Apache-2.0"
ONLY_VERSION_IFS = "src/c10d/torch_compat.h"


def layer_of(path):
    """The layer of a file, its path given from the top; None for a folder or a public header that has none."""
    parts = path.split("/")
    if path.startswith("include/gradwire/"):
        name = "/".join(parts[2:])
        return next((layer for layer, names in PUBLIC.items() if any(fnmatch.fnmatch(name, n) for n in names)), None)
    layer = parts[1] if parts[0] == "src" else parts[0]
    return layer if layer in BELOW else None


def resolve(root, path, include):
    """The path from the top of an included file of ours; None for anybody else's."""
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), include))
    for candidate in (beside, "include/" + include, "src/" + include, include):
        if (root / candidate).is_file():
            return candidate
    return None


def check_includes(root, path, text):
    layer = layer_of(path)
    if layer is None:
        yield f"{path}: belongs to no layer; list it in tests/layers.py"
        return
    for include in INCLUDE.findall(text):
        if layer in CORE and TORCH.match(include):
            yield f"{path}: includes {include}, but {layer} must not need torch"
        target = resolve(root, path, include)
        if target and layer_of(target) not in [layer, *BELOW[layer]]:
            yield f"{path}: includes {target}, but {layer} may include only {', '.join(BELOW[layer]) or 'itself'}"


def check_text(path, text):
    if SPDX not in "\n".join(text.splitlines()[:2]):
        yield f"{path}: does not begin with the line '{SPDX}'"
    if path.endswith((".h", ".cuh")) and "#pragma once" not in text:
        yield f"{path}: has no #pragma once"
    if posixpath.splitext(path)[1] in CPP and path != ONLY_VERSION_IFS and TORCH_VERSION.search(text):
        yield f"{path}: asks for torch's version, which only {ONLY_VERSION_IFS} may do"


def violations(root):
    """Every violation in the tree at `root`, in the order of the files' names."""
    found = []
    for file in sorted(f for top in ("include", "src", "hooks", "train", "tests") for f in (root / top).rglob("*")):
        path = file.relative_to(root).as_posix()
        if file.suffix not in CPP | {".py", ".cmake"} and file.name != "CMakeLists.txt":
            continue
        text = file.read_text()
        found += check_text(path, text)
        if file.suffix in CPP and not path.startswith("tests/"):
            found += check_includes(root, path, text)
    return found


if __name__ == "__main__":
    problems = violations(pathlib.Path(__file__).resolve().parents[1])
    print("\n".join(problems) or "No violations.")
    sys.exit(bool(problems))
