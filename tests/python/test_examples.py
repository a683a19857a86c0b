# SPDX-License-Identifier: Apache-2.0
"""The examples of hooks/python/examples train, and send less than dense gradients."""
import re

import pytest
from ranks import SOURCE
from torchrun import torchrun


@pytest.mark.parametrize("example, needs", [("plain_ddp", "torch"), ("with_accelerate", "accelerate"), ("with_lightning", "lightning")])
def test_example_trains_with_compressed_gradients(tmp_path, monkeypatch, example, needs):
    pytest.importorskip(needs)
    monkeypatch.chdir(tmp_path)
    done = torchrun(2, SOURCE / "hooks/python/examples" / f"{example}.py")
    lines = re.findall(r"step (\d+): loss ([\d.]+), ratio ([\d.]+)", done.stdout)
    assert done.returncode == 0 and lines, done.stdout + done.stderr
    assert float(lines[-1][1]) < 0.7 * float(lines[0][1]), lines
    assert 0 < float(lines[-1][2]) < 0.3, lines
