# SPDX-License-Identifier: Apache-2.0
"""Networks whose ranks speak to their neighbours alone."""
import random
import re
import signal
import time

import pytest
import ranks
import snapshots
import torch
from runs import Program, noise_images, records, saves, wait_for_records

GOSSIP = ["train.mode=gossip", "comm.method=auto", "gossip.method=choco", "log.every_steps=1"]


@pytest.fixture(scope="module", autouse=True)
def images(tmp_path_factory):
    """An epoch of three ranks is 3 steps of 4 images."""
    PROGRAM.words[:] = [*noise_images(tmp_path_factory.mktemp("images")), "run.nproc=3"]


PROGRAM = Program()


def test_whole_models_to_everybody_are_the_mean_gradient(tmp_path):
    """x_i <- mean_j (x_j - eta g_j): what synchronous steps make of the same batches, but for rounding."""
    plain = ["optimizer.lr=0.05", "train.steps=6", "optimizer.weight_decay=0.5", "optimizer.weight_decay_bn=0.2"]
    PROGRAM.run(tmp_path / "sync", *plain, "comm.method=none", "comm.compressor=identity", "optimizer.momentum=0",
                "optimizer.nesterov=false", "log.every_steps=1")  # fmt: skip
    PROGRAM.run(tmp_path / "gossip", *plain, *GOSSIP, "gossip.graph=complete", "gossip.gamma=1", "comm.compressor=identity")
    sync, gossip = records(tmp_path / "sync"), records(tmp_path / "gossip")
    losses = [[line["loss"] for line in lines if "loss" in line] for lines in (sync, gossip)]
    assert len(losses[0]) == 6 and losses[0][0] != losses[0][-1]
    assert losses[1][:-1] == pytest.approx(losses[0][1:], abs=2e-4)  # a round ends with a look at the next one's batch


def test_records_have_the_spread_and_the_bytes_of_all_edges(tmp_path):
    said = PROGRAM.run(tmp_path, *GOSSIP, "gossip.gamma=0.5", "comm.compressor=identity", "train.steps=4", "log.every_steps=4")
    assert "gossip: graph ring: 3 edges, spectral gap 1; choco" in said
    lines = records(tmp_path)
    numel = int(re.search(r"(\d+) parameters", said)[1])
    payload = 2 * 4 * numel  # to two neighbours, in float32
    assert payload <= lines[0]["bytes_sent"] / 4 < payload + 2000
    assert all(line["spread"] > 0 for line in lines if "eval" in line or "final" in line)
    assert lines[0]["method"] == "choco" and "of the average of all models" in said


def test_what_is_evaluated_is_what_remains(tmp_path):
    """model.pt is the average of the models, or rank 0's, with batch norm's statistics measured there."""
    finals = {}
    for evaluate in ["average", "first"]:
        folder = tmp_path / evaluate
        PROGRAM.run(folder, *GOSSIP, "gossip.gamma=0.4", f"gossip.evaluate={evaluate}", "train.steps=6", "optimizer.lr=0.3",
                    "checkpoint.every_epochs=1")  # fmt: skip
        finals[evaluate] = records(folder)[-1]
        own = [torch.tensor(snapshots.floats(snapshots.read(file)["parameter/conv1.weight"])) for file in sorted(saves(folder)[-1].iterdir())]
        assert not torch.equal(own[0], own[1])
        state = torch.load(folder / "model.pt", weights_only=True)
        expected = own[0] if evaluate == "first" else sum(x.double() for x in own).div(3).float()
        assert torch.equal(state["conv1.weight"].flatten(), expected)
        assert state["bn1.num_batches_tracked"] == 3, "of an epoch"
    assert finals["average"]["test_loss"] != finals["first"]["test_loss"]
    assert finals["average"]["spread"] == finals["first"]["spread"]


def start(folder, *words):
    return ranks.start_ranks(4, [*PROGRAM.command(folder, *GOSSIP, "gossip.gamma=0.4", "train.steps=100000", "run.nproc=4", *words)])


BLOWS = [signal.SIGKILL, signal.SIGSTOP]


def strike(folder, victim, blow, *words, pause=0.0):
    """On a ring of four the victim has one rank that is not its neighbour, and hears of it from those that are."""
    job = start(folder, "comm.timeout_s=6", *words)
    wait_for_records(folder, 3)
    time.sleep(pause)
    try:
        job[victim].send_signal(blow)
        begin = time.monotonic()
        left = [rank for rank in range(4) if rank != victim]
        for rank, (code, output) in zip(left, ranks.finish([job[rank] for rank in left], timeout=60)):
            named = {victim} | ({1, 3} if victim == 0 and rank == 2 else set())  # the store is gone: who left because of it
            assert code == 1 and any(f"rank {name}" in output.splitlines()[-1] for name in named), f"rank {rank}: {code} {output}"
        assert time.monotonic() - begin < 40
    finally:
        job[victim].kill()


@pytest.mark.parametrize("blow", BLOWS, ids=["killed", "frozen"])
def test_a_rank_that_is_gone_stops_the_others_with_its_name(tmp_path, blow):
    strike(tmp_path, 2, blow)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_whenever_a_rank_is_gone_the_others_stop_with_its_name(tmp_path, seed):
    """Any rank, rank 0 that serves the store too, at a random moment of a round: between its two messages, in a save."""
    chance = random.Random(seed)
    method = chance.choice(["choco", "motef", "motef_vr", "beer"])
    words = [f"gossip.method={method}", "comm.compressor=topk:10%", *chance.choice([[], ["checkpoint.every_minutes=0.00001"]])]
    strike(tmp_path, chance.randrange(4), chance.choice(BLOWS), *words, pause=0.5 * chance.random())


def test_a_save_of_other_neighbours_is_refused(tmp_path):
    words = [*GOSSIP, "gossip.gamma=0.4", "train.steps=3", "checkpoint.every_epochs=1"]
    PROGRAM.run(tmp_path / "three", *words)
    resume = f"checkpoint.resume={saves(tmp_path / 'three')[-1]}"
    assert "run.nproc" in (said := PROGRAM.run(tmp_path / "two", *words, resume, "run.nproc=2", "train.steps=6", code=2)), said
    assert not (tmp_path / "two" / "metrics.jsonl").exists()
    assert "gossip.graph: saved with ring" in PROGRAM.run(tmp_path / "star", *words, resume, "gossip.graph=star", "train.steps=6", code=2)
