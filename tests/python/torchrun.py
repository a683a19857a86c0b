# SPDX-License-Identifier: Apache-2.0
"""Jobs of several ranks under torch's own launcher, with the package on their path."""
import ast
import json
import os
import pathlib
import subprocess
import sys

import pytest
import ranks
import torch

HERE = pathlib.Path(__file__).parent
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA GPU here: the same laws and jobs run on the CPU beside; on a machine with a GPU this test runs by itself")


def environment(**more):
    """This one's, less what the tests themselves are told by it: a job takes GRADWIRE_... for settings."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("GRADWIRE_")}
    return dict(base, PYTHONPATH=str(ranks.BUILD / "python"), OMP_NUM_THREADS="1", **more)


def torchrun(size, *words, timeout=300, **settings):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(size), "--rdzv-backend", "c10d",
               "--rdzv-endpoint", "127.0.0.1:0", *map(str, words)]
    return subprocess.run(command, env=environment(**settings), timeout=timeout, capture_output=True, text=True)


def laws_of(*files):
    """The names of their functions that are marked @law."""
    trees = [ast.parse((HERE / file).read_text()) for file in files]
    return [f.name for tree in trees for f in tree.body if isinstance(f, ast.FunctionDef) and any(getattr(d, "id", "") == "law" for d in f.decorator_list)]


def read_results(folder, size):
    """What failed, by rank and law."""
    files = sorted(folder.glob("*.json"))
    assert len(files) == size
    return [json.loads(file.read_text())["failures"] for file in files]


def check(results, law):
    """Fails where a rank's law did; skips, with the law's own reason, where this job cannot be asked about it."""
    for rank, failures in enumerate(results):
        if failures[law].startswith("left out: "):
            pytest.skip(failures[law])
        assert not failures[law], f"rank {rank} of {len(results)}: {failures[law]}"
