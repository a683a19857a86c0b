# SPDX-License-Identifier: Apache-2.0
"""The layer rule of DESIGN.md ("Layers"): a file may include only headers of its own layer and of those below it. A
layer is a folder of src/ or of train/; what lies in train/ itself is the program, the highest.

`python3 tests/layers.py` prints the violations of this tree. tests/layers_test.py tests it and the tree.
"""

import pathlib
import posixpath
import re
import sys

# What each layer may include besides itself.
BELOW = {
    "base": [],
    "kernels": ["base"],
    "wire": ["base", "kernels"],
    "compress": ["base", "kernels", "wire"],
    "link": ["base", "kernels", "wire", "compress"],
    "message": ["base", "kernels", "wire", "compress", "link"],
    "collective": ["base"],
    "measure": ["base", "kernels", "wire", "compress", "collective"],
    "exchange": ["base", "kernels", "wire", "compress", "link", "message", "collective"],
    "method": ["base", "kernels", "wire", "compress", "link", "message", "collective", "exchange", "measure"],
    "problem": ["base"],
}
BELOW["driver"] = [*BELOW["method"], "method"]
BELOW["estimate"] = [*BELOW["driver"], "driver", "problem"]
BELOW["theory"] = [*BELOW["estimate"], "estimate"]
BELOW["newton"] = [*BELOW["estimate"], "estimate"]
BELOW["gossip"] = BELOW["theory"]
BELOW["averaging"] = [*BELOW["gossip"], "gossip"]
BELOW["analysis"] = [*BELOW["theory"], "theory"]
BELOW["config"] = BELOW["driver"]
CORE = [*BELOW["theory"], "theory", "newton", "gossip", "averaging", "config"]
BELOW["c10d"] = CORE
BELOW["hooks"] = [*CORE, "c10d"]
TRAIN = {
    "config": [],
    "launch": ["config"],
    "bench": ["config", "launch"],
    "data": ["config"],
    "report": ["config", "data"],
    "checkpoint": ["config", "launch", "report"],
    "loop": ["config", "launch", "report", "checkpoint"],
    "convex": ["config", "data", "launch", "report", "checkpoint", "loop"],
    "analyse": ["config", "data", "report"],
    "models": [],
    "join": ["config", "data", "launch"],
    "bench_ranks": ["config", "data", "launch", "bench", "models", "join"],
    "network": ["config", "data", "launch", "report", "models", "join"],
    "async": ["config", "data", "launch", "report", "checkpoint", "loop", "models", "join", "network"],
}
TRAIN["run"] = list(TRAIN)
TRAIN["program"] = list(TRAIN)
for name, lower in TRAIN.items():
    BELOW["train/" + name] = [*CORE, "analysis", "c10d", "hooks", *("train/" + other for other in lower)]

# The Python module: a door, as the program is.
BELOW["hooks/python"] = [*CORE, "c10d", "hooks", "train/launch", "train/bench"]

# Torch's wheels ship another fmt: who sees torch never sees fmt, and no header brings either to the others.
SEES_TORCH = {"c10d", "hooks", "hooks/python", "train/models", "train/join", "train/bench_ranks", "train/network", "train/async", "train/run"}
MAIN = "train/main.cc"  # joins both halves of the program; includes no fmt either

# The layer of each header in include/gradwire/: what a door includes.
PUBLIC = {
    "base": ["element_order", "error", "into", "parameter", "piece", "prox", "purpose", "round", "scratch", "site"],
    "compress": ["bit_rule", "compressor"],
    "link": ["link", "state_store"],
    "collective": ["collective"],
    "message": ["aggregate", "bucket", "exchange_parts", "participation"],
    "exchange": ["exchange", "exchange_thread"],
    "method": ["abilities", "comm_config", "cost", "method", "pays"],
    "c10d": ["c10d_backend", "c10d_group", "c10d_init"],
    "hooks": ["ddp", "ddp_hook", "ddp_intercept"],
}

TORCH = re.compile(r"(torch|ATen|c10|c10d|caffe2)/")
FMT = re.compile(r"(fmt|spdlog)/")
TORCH_VERSION = re.compile(r"\bTORCH_VERSION_(MAJOR|MINOR)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
CPP = {".h", ".cc", ".cu", ".cuh"}
# A mode is known by its name where its row stands, and nowhere else.
MODE_BY_NAME = re.compile(r'\bmode\s*[!=]=\s*"')
MODES = "train/config/modes.cc"
# A library of the host's: a build for another machine leaves out the tests that need it, by their files' names.
RAPIDCHECK = re.compile(r"#include <rapidcheck\b")
SPDX = "SPDX-License-Identifier: Apache-2.0"
ONLY_VERSION_IFS = "src/c10d/torch_compat.h"
TOPS = ("include", "src", "hooks", "train", "tests")
# Sections of notes that are not in the tree: a reader cannot look them up; a paper and its equation can be found.
NOTES = re.compile(r"\b(METHODS|KERNELS|HOUSE)(\.md)?[,:]?\s+(//+ |# )?[A-Z]?\d")


def layer_of(path):
    """The layer of a file, its path given from the top; None for a folder or a public header that has none."""
    parts = path.split("/")
    if parts[:2] == ["include", "gradwire"]:
        return next((layer for layer, names in PUBLIC.items() if "/".join(parts[2:]) in [name + ".h" for name in names]), None)
    if parts[:2] == ["hooks", "python"]:
        layer = "hooks/python"
    elif parts[0] == "train":
        layer = "train/" + (parts[1] if len(parts) > 2 else "program")
    else:
        layer = parts[1] if parts[0] == "src" else parts[0]
    return layer if layer in BELOW else None


def resolve(root, path, include):
    """The path from the top of an included file of ours; None for anybody else's."""
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(path), include))
    for candidate in (beside, "include/" + include, "src/" + include, include):
        if (root / candidate).is_file():
            return candidate
    return None


def check_strangers(path, layer, include):
    """Of torch, and of the fmt that is not torch's."""
    sees_torch = layer in SEES_TORCH or path == MAIN
    if TORCH.match(include) and not sees_torch:
        yield f"{path}: includes {include}, but {layer} must not need torch"
    if FMT.match(include) and sees_torch:
        yield f"{path}: includes {include}, but {layer} sees torch, which ships another fmt"
    if FMT.match(include) and path.endswith(".h"):
        yield f"{path}: includes {include}, which only a .cc may do"


def check_includes(root, path, text):
    layer = layer_of(path)
    if layer is None:
        yield f"{path}: belongs to no layer; list it in tests/layers.py"
        return
    for quote, include in INCLUDE.findall(text):
        target = resolve(root, path, include)
        if target is None or (quote == "<" and not include.startswith("gradwire/")):
            yield from check_strangers(path, layer, include)
        if target and layer_of(target) not in [layer, *BELOW[layer]]:
            yield f"{path}: includes {target}, but {layer} may include only {', '.join(BELOW[layer]) or 'itself'}"
        if target and path.startswith("include/") and not target.startswith("include/"):
            yield f"{path}: includes {target}, which is not installed"


def check_text(path, text):
    if SPDX not in "\n".join(text.splitlines()[:2]):
        yield f"{path}: does not begin with the line '{SPDX}'"
    once = "HWY_TARGET_TOGGLE" if path.endswith("-inl.h") else "#pragma once"  # the former: once a target of Highway
    if path.endswith((".h", ".cuh")) and once not in text:
        yield f"{path}: has no {once}"
    if posixpath.splitext(path)[1] in CPP and path != ONLY_VERSION_IFS and TORCH_VERSION.search(text):
        yield f"{path}: asks for torch's version, which only {ONLY_VERSION_IFS} may do"
    if posixpath.splitext(path)[1] in CPP and RAPIDCHECK.search(text) and not path.endswith("_property_test.cc"):
        yield f"{path}: includes RapidCheck, which only a _property_test.cc may do"
    if path.startswith("train/") and path != MODES and MODE_BY_NAME.search(text):
        yield f"{path}: compares train.mode's name; ask its row in {MODES}"


def check_notes(path, text):
    for note in NOTES.finditer(text):
        line = text.count("\n", 0, note.start()) + 1
        words = " ".join(note[0].split())
        yield f"{path}:{line}: '{words}' points to a note outside of the tree; name the paper and its equation"

def violations(root):
    """Every violation in the tree at `root`, in the order of the files' names."""
    found = []
    for file in sorted(f for top in TOPS for f in (root / top).rglob("*")):
        path = file.relative_to(root).as_posix()
        if file.suffix not in CPP | {".py", ".cmake"} and file.name != "CMakeLists.txt":
            continue
        text = file.read_text()
        found += check_text(path, text)
        found += check_notes(path, text)
        if file.suffix in CPP and not path.startswith("tests/"):
            found += check_includes(root, path, text)
    for file in sorted([*root.glob("*.md"), *(f for top in TOPS for f in (root / top).rglob("*.md"))]):
        found += check_notes(file.relative_to(root).as_posix(), file.read_text())
    return found


if __name__ == "__main__":
    problems = violations(pathlib.Path(__file__).resolve().parents[1])
    print("\n".join(problems) or "No violations.")
    sys.exit(bool(problems))
