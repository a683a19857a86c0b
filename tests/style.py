# SPDX-License-Identifier: Apache-2.0
"""The style that tools can check.

`python3 tests/style.py format` prints what clang-format would change in the C++ files of this tree.
`python3 tests/style.py tidy BUILD [WORD ...]` runs clang-tidy over the units of a configured build that need no torch
(torch's headers take minutes a unit); with words, only over those whose path has one of them.

Each major version formats and warns differently, so both take VERSION and nothing else. Exit code 0: clean, 1: not,
77: the tool is not installed, which ctest takes as skipped.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

VERSION = 14  # Debian 12's
SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parents[1]


def find_tool(name):
    for candidate in (f"{name}-{VERSION}", name):
        if path := shutil.which(candidate):
            version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
            if re.search(rf"\bversion {VERSION}\.", version):
                return path
    print(f"skipped: no {name} of version {VERSION} on PATH; install {name}-{VERSION}")
    sys.exit(SKIPPED)


def cpp_files():
    tops = ("include", "src", "hooks", "train", "tests")
    return sorted(str(f) for top in tops for f in (ROOT / top).rglob("*") if f.suffix in (".h", ".cc"))


def check_format():
    tool = find_tool("clang-format")
    done = subprocess.run([tool, "--dry-run", "-Werror", *cpp_files()], cwd=ROOT)
    if done.returncode:
        print("Some files are not formatted: `make format` does it.")
    return done.returncode


def commands_without_torch(build, words):
    """Without the headers that GCC has precompiled, which Clang takes for its own and cannot read."""
    commands = json.loads((build / "compile_commands.json").read_text())
    for command in commands:
        command["command"] = re.sub(r"-include \S*cmake_pch\.hxx", "", command["command"])
    mine = [c for c in commands if "/torch/" not in c["command"] and not c["file"].endswith("cmake_pch.hxx.cxx")]
    return [c for c in mine if not words or any(word in c["file"] for word in words)]


def check_tidy(build, words):
    tool = find_tool("clang-tidy")

    commands = commands_without_torch(build, words)

    def run(unit):
        done = subprocess.run([tool, "--quiet", "-p", folder, unit], cwd=ROOT, capture_output=True, text=True)
        return unit, done

    failed = False
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        (pathlib.Path(folder) / "compile_commands.json").write_text(json.dumps(commands))
        for unit, done in pool.map(run, sorted({c["file"] for c in commands})):
            if done.returncode:
                print(f"{unit}\n{done.stdout}{done.stderr}", flush=True)
                failed = True
    return int(failed)


if __name__ == "__main__":
    if sys.argv[1:] == ["format"]:
        sys.exit(check_format())
    if sys.argv[1:2] == ["tidy"] and len(sys.argv) > 2:
        sys.exit(check_tidy(pathlib.Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(__doc__)
