# SPDX-License-Identifier: Apache-2.0
"""Runs of the program that are watched while they go on, and what they wrote."""
import json
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest
import ranks

TIMES = {"wall_s", "imgs_per_s", "t_step", "t_compute", "t_encode", "t_wire", "t_decode"}


class Program:
    """The program with the words of a tiny run and some more; a later word wins over an earlier one of its key."""

    def __init__(self, *words):
        self.words = list(words)

    def command(self, folder, *words):
        return [ranks.PROGRAM, *{word.split("=")[0]: word for word in ranks.tiny(folder, *self.words, *words)}.values()]

    def run(self, folder, *words, code=0):
        """What it said on both streams, having ended with the exit code."""
        done = subprocess.run(self.command(folder, *words), capture_output=True, text=True, timeout=240)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


def noise_images(folder):
    """Words for a data set of CIFAR-10's format with noise in it: 40 images of training, which are read at once."""
    noise = random.Random(1)
    for name, count in [("data_batch_1.bin", 40), ("test_batch.bin", 20)]:
        (folder / name).write_bytes(b"".join(bytes([i % 10]) + noise.randbytes(3072) for i in range(count)))
    return ["data.dataset=cifar10", f"data.root={folder}"]


def records(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def saves(folder):
    return sorted((folder / "checkpoints").iterdir())


def wait_for(file, holds):
    end = time.monotonic() + 120
    while not file.exists() or not holds(file.read_text()):
        assert time.monotonic() < end, f"in vain for {file}"
        time.sleep(0.02)


def wait_for_records(folder, count):
    wait_for(folder / "metrics.jsonl", lambda text: text.count("\n") >= count)


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def start():
    """Starts processes in sessions of their own; what is left of them at the end is killed."""
    started = []

    def begin(words):
        started.append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            for child in children(process.pid):
                os.kill(child, signal.SIGKILL)
            process.kill()
