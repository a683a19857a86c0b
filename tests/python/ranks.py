# SPDX-License-Identifier: Apache-2.0
"""Ranks as processes of this machine, in torchrun's environment."""
import contextlib
import os
import pathlib
import random
import socket
import subprocess

BUILD = pathlib.Path(os.environ["GRADWIRE_BUILD_DIR"])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = BUILD / "gradwire"


def free_port():
    """Below the ports that the kernel deals out (from 32768 on): else a test beside could get it before the job does."""
    while True:
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", random.SystemRandom().randrange(20000, 32768)))
            return s.getsockname()[1]


def start_ranks(size, command, env=os.environ):
    """Popen objects by rank; rank 0 serves the store. `command`: the words, or a function of the rank that gives them."""
    port = str(free_port())
    ranks, base = [], env
    for rank in range(size):
        env = dict(base, RANK=str(rank), WORLD_SIZE=str(size), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(size),
                   MASTER_ADDR="127.0.0.1", MASTER_PORT=port, OMP_NUM_THREADS="1")
        env.pop("TORCHELASTIC_USE_AGENT_STORE", None)
        words = command(rank) if callable(command) else command
        ranks.append(subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    return ranks


def finish(ranks, timeout=240):
    """(exit code, output) by rank. Kills what is left after the timeout, and fails."""
    results = []
    try:
        for process in ranks:
            output, _ = process.communicate(timeout=timeout)
            results.append((process.returncode, output))
    finally:
        for process in ranks:
            if process.poll() is None:
                process.kill()
    return results


def tiny(output_dir, *words):
    """Words of a run that takes a few seconds."""
    return ["train", str(SOURCE / "configs/quickstart.yaml"), "data.dataset=synthetic", "data.batch_size=4", "model.name=resnet8",
            f"run.output_dir={output_dir}", *words]
