# SPDX-License-Identifier: Apache-2.0
"""Asynchronous training over processes: a server, and workers that come, go and are killed."""
import csv
import os
import random
import re
import signal
import subprocess
import time

import pytest
import ranks
import torch
from runs import Program, children, noise_images, records, saves, start, wait_for, wait_for_records  # noqa: F401

PLAIN = ["optimizer.momentum=0", "optimizer.nesterov=false", "lr_scheduler.name=constant", "lr_scheduler.warmup_epochs=0"]


PROGRAM = Program("train.mode=async", "run.nproc=3", "comm.timeout_s=60", "log.every_steps=1")
command, run = PROGRAM.command, PROGRAM.run


@pytest.fixture(scope="module", autouse=True)
def images(tmp_path_factory):
    PROGRAM.words += [*noise_images(tmp_path_factory.mktemp("images")), "log.eval_every=100000"]


def jobs(folder):
    return [{k: int(v) for k, v in row.items()} for row in csv.DictReader((folder / "jobs.csv").open())]


def check_jobs(folder, steps, most_out):
    """Every job that was applied was applied once, in order; what is missing was out at the end."""
    rows = jobs(folder)
    assert [row["version_applied"] for row in rows] == list(range(steps))
    numbers = [row["job"] for row in rows]
    assert len(set(numbers)) == steps
    assert steps - 1 <= max(numbers) < steps + most_out
    assert all(row["staleness"] == row["version_applied"] - row["version_read"] >= 0 for row in rows)
    return rows


def address(folder):
    wait_for(folder / "log.txt", lambda text: "--join" in text)
    return re.search(r"--join (\S+)", (folder / "log.txt").read_text())[1]


def test_a_run_applies_each_job_once_and_counts_bytes_and_staleness(tmp_path):
    said = run(tmp_path, "train.steps=40", "async.assign=pure")
    rows = check_jobs(tmp_path, 40, 2)
    assert {row["worker"] for row in rows} == {1, 2}
    lines = [record for record in records(tmp_path) if "tau_max" in record]
    assert lines[-1]["tau_max"] == max(row["staleness"] for row in rows)
    assert lines[-1]["staleness"] == {str(s): sum(row["staleness"] == s for row in rows) for s in
                                      sorted({row["staleness"] for row in rows})}
    assert (lines[-1]["tau_c"], lines[-1]["world_size"]) == (2, 2)
    assert len({record["bytes_sent"] for record in lines}) == 1  # sign: each message is as long as any other
    assert lines[-1]["bytes_total"] == 40 * lines[0]["bytes_sent"] and lines[0]["ratio"] < 0.07
    assert "40 steps on 2 workers" in said


def test_waiting_for_both_is_the_synchronous_step_of_twice_the_size(tmp_path):
    words = [*PLAIN, "comm.method=none", "comm.compressor=identity"]
    run(tmp_path / "async", *words, "train.steps=12", "optimizer.lr=0.01", "async.assign=pure", "async.wait_for=2")
    run(tmp_path / "sync", *words, "train.steps=6", "optimizer.lr=0.02", "train.mode=sync", "run.nproc=2")
    models = [torch.load(tmp_path / mode / "model.pt") for mode in ("async", "sync")]
    assert models[0]["bn1.num_batches_tracked"] == 10  # of the server, which has seen no other images: all there are
    for name, value in models[0].items():
        if "running" not in name and "tracked" not in name:  # measured anew, and means of what the ranks saw
            torch.testing.assert_close(value, models[1][name], rtol=1e-3, atol=1e-5)
    first = torch.load(tmp_path / "sync" / "model.pt")["conv1.weight"]
    run(tmp_path / "other", *words, "train.steps=12", "optimizer.lr=0.01", "async.assign=pure")
    assert (torch.load(tmp_path / "other" / "model.pt")["conv1.weight"] - first).abs().max() > 1e-5


@pytest.mark.parametrize("words", [
    ["async.assign=random", "async.server=shared", "run.nproc=2", "comm.method=ef21", "comm.compressor=topk:1%"],
    ["async.assign=shuffled", "async.down=topk:10%", "comm.method=diana", "comm.compressor=randk:10%"]])
def test_links_work_both_ways_and_the_server_may_be_a_worker(tmp_path, words):
    run(tmp_path, "train.steps=30", *words)
    rows = check_jobs(tmp_path, 30, 3)
    assert {row["worker"] for row in rows} == ({0, 1} if "async.server=shared" in words else {1, 2})


@pytest.mark.parametrize("deaths, doubles", [(4, {1}), pytest.param(10, {3, 7}, marks=pytest.mark.slow)])
def test_workers_are_killed_at_any_point_and_others_join(tmp_path, start, monkeypatch, deaths, doubles):
    """Deaths by SIGKILL, each followed by an arrival; after those in `doubles` by two."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # those that join do not know how many they are
    choose, words = random.Random(1), ["train.steps=100000", "checkpoint.resume=auto", "log.every_steps=25"]
    launcher = start(command(tmp_path, *words, "run.nproc=4"))
    where = address(tmp_path)
    server, *workers = children(launcher.pid)
    joined = []
    for death in range(deaths):
        wait_for_records(tmp_path, 1 + len(records(tmp_path)))
        time.sleep(choose.random() * 0.1)
        os.kill(workers.pop(choose.randrange(len(workers))), signal.SIGKILL)
        for _ in range(2 if death in doubles else 1):
            joined.append(start(command(tmp_path / "unused", *words) + ["--join", where]))
            workers.append(joined[-1].pid)
        wait_for(tmp_path / "log.txt", lambda text: text.count(" joins at version") >= len(joined))
    wait_for_records(tmp_path, 2 + len(records(tmp_path)))
    launcher.send_signal(signal.SIGTERM)
    said = launcher.communicate(timeout=60)[0]
    assert launcher.returncode == 143, said
    rows = check_jobs(tmp_path, len(jobs(tmp_path)), 8)
    assert said.count("has gone") == deaths and "given out again" in said
    at_most = 3 + len(joined)  # some die before they have done anything
    assert at_most == 3 + deaths + len(doubles) and deaths <= len({row["worker"] for row in rows}) <= at_most
    last = [process for process in joined if process.wait(timeout=60) == 0]
    assert len(last) >= len(doubles) + 1 and all("the run is over" in process.stdout.read() for process in last)


def test_a_worker_of_other_settings_is_refused_with_the_difference(tmp_path, start):
    launcher = start(command(tmp_path, "train.steps=100000"))
    words = command(tmp_path / "unused", "train.steps=100000", "optimizer.lr=0.3") + ["--join", address(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "refuses this worker" in done.stderr and "optimizer.lr: saved with 0.1, this run has 0.3" in done.stderr
    for where, mode, words in [("nowhere", "async", "expected HOST:PORT"), ("a:1", "sync", "expected async")]:
        done = subprocess.run([*command(tmp_path / "unused", f"train.mode={mode}"), "--join", where],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and words in done.stderr
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(timeout=60) == 130


def test_a_worker_that_dies_before_it_comes_is_not_waited_for(tmp_path, start):
    begun = time.monotonic()
    launcher = start(command(tmp_path, "train.steps=10", "comm.timeout_s=100"))
    while len(children(launcher.pid)) < 3:
        assert launcher.poll() is None and time.monotonic() < begun + 60
    os.kill(children(launcher.pid)[2], signal.SIGKILL)
    said = launcher.communicate(timeout=90)[0]
    assert launcher.returncode == 0 and "worker 2 could not start: was killed by SIGKILL" in said, said
    assert "async: 1 workers" in said and time.monotonic() < begun + 80


@pytest.mark.slow
def test_a_worker_that_is_frozen_before_it_comes_is_passed_over_and_taken_when_it_does(tmp_path, start):
    launcher = start(command(tmp_path, "train.steps=100000", "comm.timeout_s=6"))
    end = time.monotonic() + 60
    while len(children(launcher.pid)) < 3:
        assert launcher.poll() is None and time.monotonic() < end
    frozen = children(launcher.pid)[2]
    os.kill(frozen, signal.SIGSTOP)
    wait_for(tmp_path / "log.txt", lambda text: "rank 2 has not come to work within 6000 ms" in text)
    os.kill(frozen, signal.SIGCONT)
    wait_for(tmp_path / "log.txt", lambda text: "worker 2 joins at version" in text)
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(timeout=60) == 130


def test_the_launcher_of_a_frozen_server_ends(tmp_path, start):
    launcher = start(command(tmp_path, "train.steps=100000", "comm.timeout_s=4", "run.nproc=2"))
    wait_for_records(tmp_path, 2)
    os.kill(children(launcher.pid)[0], signal.SIGSTOP)
    said = launcher.communicate(timeout=90)[0]
    assert launcher.returncode == 1 and "rank 0, the server, has not heard" in said and re.search(r"the server \(rank 0\) (sent nothing|took no message)", said), said


def test_workers_name_a_server_that_is_gone(tmp_path):
    processes = ranks.start_ranks(2, command(tmp_path, "train.steps=100000"))
    wait_for_records(tmp_path, 2)
    processes[0].kill()
    (_, (code, said)) = ranks.finish(processes, timeout=60)
    assert code == 1 and "the server (rank 0) is gone" in said


def test_a_server_without_workers_saves_and_says_so(tmp_path, start):
    launcher = start(command(tmp_path, "train.steps=100000", "run.nproc=2", "comm.timeout_s=3", "checkpoint.every_minutes=1000"))
    wait_for_records(tmp_path, 3)
    os.kill(children(launcher.pid)[1], signal.SIGKILL)
    said = launcher.communicate(timeout=60)[0]
    assert launcher.returncode == 1 and "none has joined within 3000 ms" in said, said
    assert len(saves(tmp_path)) == 1


def test_a_stopped_run_goes_on_and_no_job_is_done_twice_or_never(tmp_path, start):
    words = ["train.steps=400", "checkpoint.resume=auto"]
    launcher = start(command(tmp_path, *words))
    wait_for_records(tmp_path, 10)
    launcher.send_signal(signal.SIGTERM)
    said = launcher.communicate(timeout=60)[0]
    assert launcher.returncode == 143 and "stopped by SIGTERM" in said, said
    stopped_at = len(jobs(tmp_path))
    said = run(tmp_path, *words)
    assert f"going on from {saves(tmp_path)[0]}" in said
    check_jobs(tmp_path, 400, 2)
    assert 10 <= stopped_at < 400
    lines = [record for record in records(tmp_path) if "tau_max" in record]
    assert [line["step"] for line in lines] == list(range(1, 401))
    assert lines[-1]["bytes_total"] == 400 * lines[0]["bytes_sent"]


def test_a_gradient_that_is_not_finite_ends_the_run_with_the_reason(tmp_path):
    said = run(tmp_path, *PLAIN, "train.steps=100", "optimizer.lr=1e30", code=1)
    assert "non-finite" in said and "optimizer.lr" in said


def test_torchrun_starts_the_server_and_its_workers(tmp_path):
    done = subprocess.run([os.environ["GRADWIRE_PYTHON"], "-m", "torch.distributed.run", "--no-python",
                           "--nproc-per-node=3", f"--master-port={ranks.free_port()}", *command(tmp_path, "train.steps=20")],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    check_jobs(tmp_path, 20, 2)
