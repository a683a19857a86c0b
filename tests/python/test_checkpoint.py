# SPDX-License-Identifier: Apache-2.0
"""Saves of a run, and going on from them."""
import array
import os
import signal

import pytest
import ranks
import snapshots
from runs import Program, children, noise_images, records, saves, start, wait_for, wait_for_records  # noqa: F401

SAVE = ["checkpoint.every_minutes=0.00001", "checkpoint.keep_last=100", "log.every_steps=1"]  # about every other step
OF_ONE_RUN = {"job", "wall seconds"}


@pytest.fixture(scope="module", autouse=True)
def images(tmp_path_factory):
    """An epoch of two ranks is 5 steps of 4 images."""
    PROGRAM.words[:] = noise_images(tmp_path_factory.mktemp("images"))


PROGRAM = Program()
command, run = PROGRAM.command, PROGRAM.run


def state(step_folder):
    """All that ranks have saved in a step, by rank."""
    files = sorted(step_folder.iterdir())
    return {f.name: {k: v for k, v in snapshots.read(f).items() if k not in OF_ONE_RUN} for f in files}


def in_the_middle(folder, last):
    return next(save for save in saves(folder) if save.name > "step00000002" and save.name < f"step{last:08}")


RUNS = {
    "ef": ["comm.method=ef", "comm.compressor=sign"],
    "ef21": ["comm.method=ef21", "comm.compressor=topk:1%", "log.every_steps=6"],  # is saved within an interval
    "delayed": ["train.delay=3"],
    "diana": ["comm.method=diana", "comm.compressor=randk:10%"],
    "dore": ["comm.method=dore", "comm.compressor=qsgd:7"],
    "marina": ["comm.method=pp_marina", "comm.compressor=randk:10%", "comm.p=0.3"],
    "anchor": ["comm.method=vr_diana", "comm.compressor=randk:10%", "objective.anchor_period=2"],
    "momenta": ["comm.method=ssdm", "comm.compressor=auto", "optimizer.lr=0.001"],
    "clipped_momenta": ["comm.method=clip21_sgd2m", "comm.compressor=clip:3", "comm.noise=0.01", "comm.min_compress_numel=0",
                        "comm.compress_1d=true"],
    "none": ["comm.method=none", "comm.compressor=identity", "run.nproc=3"],
    "learn": ["train.mode=local", "local.sync_every=2", "local.shift=learn", "comm.method=ef21", "comm.compressor=topk:5%"],
    "skip": ["train.mode=local", "local.random=0.6", "local.shift=skip", "local.gradient_p=[0.5, 1]", "comm.method=none",
             "comm.compressor=identity", "optimizer.momentum=0", "optimizer.nesterov=false"],
    "gossip": ["train.mode=gossip", "comm.method=auto", "gossip.method=motef_vr", "gossip.gamma=0.4", "gossip.lambda=0.3", "gossip.graph=ring",
               "comm.compressor=unscale(randk:20%)", "run.nproc=3"],
    "push_sum": ["train.mode=gossip", "comm.method=auto", "gossip.method=push_sum", "gossip.graph=one_peer_exponential", "comm.compressor=auto",
                 "run.nproc=3"],
    "gossip_of_models": ["train.mode=gossip", "comm.method=auto", "gossip.method=gradient_tracking", "comm.compressor=auto", "gossip.evaluate=first"],
    "local": ["train.mode=local", "local.sync_every=2", "local.outer_momentum=0.5", "local.start_iter=1"],
}


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path, name):
    words = [*SAVE, *RUNS[name], "train.steps=7"]
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    run(whole, *words)
    save = in_the_middle(whole, 7)
    assert f"going on from {save}" in run(resumed, *words, f"checkpoint.resume={save}")
    begun = int(save.name.removeprefix("step"))
    later = [record for record in records(whole) if record["step"] > begun]
    assert records(resumed) == later and len(later) >= 2
    assert state(saves(resumed)[-1]) == state(whole / "checkpoints" / "step00000007")
    assert (resumed / "model.pt").read_bytes() == (whole / "model.pt").read_bytes()
    saved = snapshots.read(save / "rank1")
    assert (name in ("none", "skip", "gossip", "gossip_of_models", "push_sum")) == (not [key for key in saved if key.startswith(("up/", "down/"))])
    assert (name == "learn") == any(key.startswith("channel 1/up/h/") for key in saved)  # shifts beside models


def test_an_anchor_begins_anew_in_a_job_of_another_size(tmp_path):
    words = [*SAVE, *RUNS["anchor"][:2], "objective.anchor_period=1000000"]
    run(tmp_path / "two", *words, "train.steps=3")
    run(tmp_path / "three", *words, "train.steps=6", "run.nproc=3", f"checkpoint.resume={saves(tmp_path / 'two')[-1]}")
    before, *after = [snapshots.read(saves(tmp_path / name)[-1] / f"rank{rank}")["anchor"] for name, rank in
                      (("two", 0), ("three", 0), ("three", 1), ("three", 2))]
    assert after[0] == after[1] == after[2] != before


def test_saves_are_kept_passed_over_and_refused_as_asked(tmp_path):
    words = ["train.steps=9", *SAVE, "checkpoint.keep_last=2"]
    run(tmp_path, *words)
    previous, newest = saves(tmp_path)
    assert newest.name == "step00000009"
    assert "model.name: saved with resnet8, this run has resnet20" in run(
        tmp_path, *words, "checkpoint.resume=auto", "model.name=resnet20", code=2)
    assert "holds saves of another run" in run(tmp_path, *words, code=2)
    damaged = bytearray((newest / "rank1").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (newest / "rank1").write_bytes(damaged)
    assert "damaged" in run(tmp_path, *words, f"checkpoint.resume={newest}", code=2)
    said = run(tmp_path, *words, "checkpoint.resume=auto")
    assert f"{newest} is passed over: rank 1: {newest / 'rank1'}: damaged" in said
    assert f"going on from {previous}" in said
    assert [r["step"] for r in records(tmp_path) if "loss" in r] == list(range(1, 10))


def test_saves_come_at_the_ends_of_epochs_and_a_longer_run_goes_on(tmp_path):
    words = ["train.steps=0", "train.epochs=3", "checkpoint.every_epochs=1", "checkpoint.keep_last=3"]
    run(tmp_path, *words)
    assert [save.name for save in saves(tmp_path)] == ["step00000005", "step00000010", "step00000015"]
    run(tmp_path, *words, "train.epochs=4", "checkpoint.resume=auto")
    assert [save.name for save in saves(tmp_path)] == ["step00000010", "step00000015", "step00000020"]
    assert [(r["step"], "final" in r) for r in records(tmp_path)][-1] == (20, True)
    assert "expected at most the 15 steps" in run(tmp_path, *words, "checkpoint.resume=auto", code=2)


@pytest.mark.parametrize("mode, number", [("sync", signal.SIGTERM), ("local", signal.SIGUSR1)])
def test_a_signal_saves_and_the_run_goes_on_as_if_nothing_had_been(tmp_path, start, mode, number):
    words = ["train.steps=60", "log.every_steps=1", "checkpoint.resume=auto", f"train.mode={mode}"]
    words += ["local.sync_every=3"] * (mode == "local")
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    launcher = start(command(stopped, *words))
    wait_for_records(stopped, 3)
    launcher.send_signal(number)
    said = launcher.communicate(timeout=120)[0]
    assert launcher.returncode == 128 + number, said
    assert f"stopped by {number.name}" in said.splitlines()[-1] and "checkpoint.resume=auto" in said.splitlines()[-1]
    assert not (stopped / "model.pt").exists() and len(saves(stopped)) == 1
    run(stopped, *words)
    run(whole, *words)
    assert records(stopped) == records(whole)
    assert (stopped / "model.pt").read_bytes() == (whole / "model.pt").read_bytes()


@pytest.mark.parametrize("words", [["run.launch=threads"], ["run.launch=processes"], ["train.mode=async"]])
def test_a_signal_saves_a_convex_run_that_goes_on_later(tmp_path, start, words):
    words = ["train", ranks.SOURCE / "configs/convex/qh.yaml", "checkpoint.resume=auto", f"run.output_dir={tmp_path}", *words]
    launcher = start([ranks.PROGRAM, *map(str, words), "train.steps=1000000000", "log.every_steps=100"])
    wait_for_records(tmp_path, 3)
    launcher.send_signal(signal.SIGTERM)
    said = launcher.communicate(timeout=60)[0]
    (save,) = saves(tmp_path)
    at = int(save.name.removeprefix("step"))
    assert launcher.returncode == 143 and f"stopped by SIGTERM at step {at} of" in said, said
    launcher = start([ranks.PROGRAM, *map(str, words), f"train.steps={at + 50}", "log.every_steps=100"])
    said = launcher.communicate(timeout=60)[0]
    assert launcher.returncode == 0 and f"going on from {save}, step {at}" in said, said
    assert (records(tmp_path)[0]["step"], records(tmp_path)[-1]["step"]) == (0, at + 50)


def test_sigint_to_one_rank_stops_all_at_the_same_step(tmp_path):
    started = ranks.start_ranks(2, command(
        tmp_path, "train.epochs=1000", "log.every_steps=1", "checkpoint.resume=auto"))
    wait_for_records(tmp_path, 3)
    started[1].send_signal(signal.SIGINT)
    for code, output in ranks.finish(started, timeout=60):
        assert code == 130, output
    assert sorted(file.name for file in saves(tmp_path)[0].iterdir()) == ["rank0", "rank1"]


def test_torchrun_starts_ranks_again_where_they_were_and_stops_them_by_sigterm(tmp_path, start):
    agent = start([os.environ["GRADWIRE_PYTHON"], "-m", "torch.distributed.run", "--no-python", "--nproc-per-node=2",
                   "--max-restarts=1", f"--master-port={ranks.free_port()}", *command(
                       tmp_path, *SAVE, "train.epochs=1000", "checkpoint.resume=auto", "checkpoint.keep_last=2")])
    wait_for_records(tmp_path, 5)
    os.kill(children(agent.pid)[0], signal.SIGKILL)
    wait_for(tmp_path / "log.txt", lambda text: "going on from" in text.rsplit("data:", 1)[-1] and "img/s" in
             text.rsplit("going on from", 1)[-1])
    agent.send_signal(signal.SIGTERM)
    said = agent.communicate(timeout=60)[0]
    assert "stopped by SIGTERM" in said and len(list(saves(tmp_path)[-1].iterdir())) == 2, said
    steps = [record["step"] for record in records(tmp_path) if "eval" not in record]
    assert steps == list(range(1, len(steps) + 1))


def test_three_ranks_go_on_where_two_were_with_the_same_mean_residual(tmp_path):
    two, three = tmp_path / "two", tmp_path / "three"
    run(two, "train.steps=4", *SAVE)
    words = [*SAVE, "run.nproc=3", f"checkpoint.resume={saves(two)[-1]}"]
    run(three, "train.steps=4", *words)
    before, after = state(saves(two)[-1]), state(saves(three)[-1])
    assert (len(before), len(after)) == (2, 3)
    for key in (key for key in before["rank0"] if key.startswith("up/e/")):
        old = [snapshots.floats(rank[key]) for rank in before.values()]
        for rank in after.values():
            assert list(snapshots.floats(rank[key])) == list(snapshots.floats(
                array.array("f", [(a + b) / 2 for a, b in zip(*old)]).tobytes()))
    assert all(rank[key] == before["rank0"][key] for rank in after.values() for key in rank if key.startswith("param"))
    run(tmp_path / "on", "train.steps=6", *words)
    assert records(tmp_path / "on")[-1]["step"] == 6
