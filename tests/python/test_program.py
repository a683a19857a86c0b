# SPDX-License-Identifier: Apache-2.0
"""The program as a user meets it."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
import ranks

FIELDS = """step epoch wall_s loss acc lr imgs_per_s world_size bytes_sent bytes_total dense_bytes ratio t_compute t_encode
t_wire t_decode residual_norm method compressor data""".split()


def run(*words, timeout=240, **options):
    return subprocess.run([ranks.PROGRAM, *words], capture_output=True, text=True, timeout=timeout, **options)


def records(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_writes_every_field_and_its_own_config_again(tmp_path):
    done = run(*ranks.tiny(tmp_path, "train.steps=6", "log.every_steps=3"))
    assert done.returncode == 0, done.stderr
    lines = records(tmp_path)
    intervals = [line for line in lines if "eval" not in line and "final" not in line]
    assert [line["step"] for line in intervals] == [3, 6]
    for line in intervals:
        assert all(field in line for field in FIELDS)
        assert 0 < line["bytes_sent"] < line["dense_bytes"] and line["residual_norm"] > 0 and line["world_size"] == 2
        assert line["ratio"] == pytest.approx(line["bytes_sent"] / line["dense_bytes"])
    assert intervals[1]["bytes_total"] == intervals[0]["bytes_sent"] + intervals[1]["bytes_sent"]
    assert lines[-1]["final"] is True and {"test_loss", "test_acc", "data"} <= lines[-1].keys()
    assert all(line["data"] == "synthetic images, 10,000 + 2,000 images" for line in [*intervals, lines[-1]])
    again = run("train", tmp_path / "config.yaml", "--print-config")
    assert again.stdout == (tmp_path / "config.yaml").read_text()
    assert (tmp_path / "model.pt").exists() and (tmp_path / "log.txt").read_text()


def test_local_steps_send_a_share_of_the_bytes_and_end_with_one_model(tmp_path):
    every_step, local = tmp_path / "sync", tmp_path / "local"
    assert run(*ranks.tiny(every_step, "train.steps=8", "log.every_steps=8")).returncode == 0
    done = run(*ranks.tiny(local, "train.steps=8", "log.every_steps=8", "train.mode=local", "local.sync_every=4"))
    assert done.returncode == 0, done.stderr
    sent = [records(folder)[0]["bytes_sent"] for folder in (every_step, local)]
    assert sent[1] == pytest.approx(sent[0] / 4, rel=0.01)
    assert "an agreement every 4 steps" in done.stdout + done.stderr


@pytest.mark.parametrize("words", [["local.shift=learn", "local.sync_every=2"], ["local.shift=skip", "local.random=0.5", "optimizer.momentum=0", "optimizer.nesterov=false",
                                                       "local.gradient_p=[1, 0.5]"]], ids=["learn", "skip"])  # fmt: skip
def test_shifts_run_on_the_network(tmp_path, words):
    done = run(*ranks.tiny(tmp_path, "train.steps=8", "log.every_steps=8", "train.mode=local",
                           "comm.method=none", "comm.compressor=identity", *words))
    assert done.returncode == 0, done.stderr
    assert records(tmp_path)[0]["bytes_sent"] > 0


def test_the_same_seed_gives_the_same_run(tmp_path):
    losses = []
    for name in ["a", "b"]:
        assert run(*ranks.tiny(tmp_path / name, "train.steps=4", "log.every_steps=1")).returncode == 0
        losses.append([line.get("loss") for line in records(tmp_path / name)])
    assert losses[0] == losses[1]


def test_a_killed_rank_stops_the_others_with_its_name(tmp_path):
    for victim in [0, 1, 2]:
        for method, compressor in [("ef", "sign"), ("none", "identity")]:
            started = ranks.start_ranks(3, [ranks.PROGRAM, *ranks.tiny(
                tmp_path / f"{victim}{method}", "train.epochs=1000", "log.every_steps=1", "comm.timeout_s=20",
                f"comm.method={method}", f"comm.compressor={compressor}")])
            wait_for_steps(tmp_path / f"{victim}{method}", 3)
            started[victim].kill()
            begin = time.monotonic()
            results = ranks.finish(started, timeout=60)
            assert time.monotonic() - begin < 20 + 10
            for rank, (code, output) in enumerate(results):
                if rank != victim:
                    assert code == 1 and f"rank {victim} " in output.splitlines()[-1], f"rank {rank}: {code} {output}"


def test_a_frozen_rank_is_named_though_it_serves_the_store_or_a_sum_is_under_way(tmp_path):
    """Both jobs at once: rank 0 of plain ranks serves the store, and all of `none` are sums."""
    jobs = {}
    for victim, method, compressor in [(0, "none", "identity"), (2, "ef", "sign")]:
        jobs[victim] = ranks.start_ranks(3, [ranks.PROGRAM, *ranks.tiny(
            tmp_path / method, "train.steps=100000", "log.every_steps=1", "comm.timeout_s=5",
            f"comm.method={method}", f"comm.compressor={compressor}")])
    wait_for_steps(tmp_path / "none", 3), wait_for_steps(tmp_path / "ef", 3)
    try:
        for victim, job in jobs.items():
            job[victim].send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        for victim, job in jobs.items():
            for rank, (code, output) in enumerate(ranks.finish([p for r, p in enumerate(job) if r != victim], timeout=60)):
                assert code == 1 and re.search(rf"error: .*rank {victim}\b.* says rank", output.splitlines()[-1]), f"{victim}, {rank}: {code} {output}"
                assert re.search(r"has waited [0-9] s for .*; it gives up after 5 s", output), output
        assert time.monotonic() - begin < 45
    finally:
        for victim, job in jobs.items():
            job[victim].kill()


def wait_for_steps(folder, steps):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if (folder / "metrics.jsonl").exists() and len(records_so_far(folder)) >= steps:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {steps} steps in {folder} within 120 s")


def records_so_far(folder):
    return (folder / "metrics.jsonl").read_text().splitlines()


def listening(pid):
    """The addresses that a process listens on, as /proc has them."""
    inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    rows = [row.split() for table in ("tcp", "tcp6") for row in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes}


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_launcher_and_all_its_ranks(tmp_path, number, code):
    launcher = subprocess.Popen([ranks.PROGRAM, *ranks.tiny(tmp_path, "train.epochs=1000", "log.every_steps=1")],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    wait_for_steps(tmp_path, 2)
    children = pathlib.Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    assert len(children) == 2
    assert listening(launcher.pid) == {"0100007F"}, "the store is for this machine alone"
    launcher.send_signal(number)
    launcher.communicate(timeout=60)
    assert launcher.returncode == code
    for child in children:
        assert not os.path.exists(f"/proc/{child}")


def test_a_wrong_config_starts_nothing(tmp_path):
    done = run(*ranks.tiny(tmp_path / "out", "comm.compresor=sign"))
    assert done.returncode == 2 and "comm.compressor" in done.stderr and not (tmp_path / "out").exists()


def test_inputs_that_are_not_there_start_nothing(tmp_path):
    """Exit code 2 with the key and the path, and no folder, images of another kind or rank in their place."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b\x08")
    quickstart, q3 = ranks.SOURCE / "configs/quickstart.yaml", ranks.SOURCE / "configs/convex/q3.yaml"
    logistic = [q3, "objective.name=logistic", "run.launch=processes"]
    for words, key, named in [
        ([quickstart, f"data.root={tmp_path}/empty"], "data.root", f"{tmp_path}/empty, which has neither"),
        ([quickstart, "data.root=~/no-such-images"], "data.root", f"{tmp_path}/no-such-images, which does not exist"),
        ([quickstart, f"data.root={tmp_path}/a.gz", "data.dataset=cifar10"], "data.root", "a.gz, which is no folder"),
        ([quickstart, "data.dataset=synthetic", "model.init=no.pt"], "model.init", "found no.pt, which cannot be read (No such"),
        ([quickstart, "data.dataset=synthetic", f"model.init={tmp_path}"], "model.init", "it is a folder"),
        ([quickstart, "data.dataset=synthetic", "model.num_classes=5"], "model.num_classes", "labels up to 9"),
        ([*logistic, "objective.data=no.libsvm"], "objective.data", "found no.libsvm, which cannot be read (No such"),
        ([*logistic, f"objective.data={tmp_path}/a.gz"], "objective.data", "gunzip"),
        ([quickstart, "checkpoint.resume=" + str(tmp_path / "empty")], "checkpoint.resume", "empty/rank0"),
    ]:
        done = run("train", *words, f"run.output_dir={tmp_path}/out", cwd=tmp_path, env=dict(os.environ, HOME=str(tmp_path)))
        assert done.returncode == 2, (words, done.stderr)
        assert f"{key}: " in done.stderr and named in done.stderr, done.stderr
        assert not (tmp_path / "out").exists() and not (tmp_path / "~").exists(), words


def test_no_text_ends_the_program_otherwise_than_with_its_error(tmp_path):
    for name, text in [("comma", b","), ("deep", b"[" * 100_000), ("spec", b"comm: {compressor: " + b"unscale(" * 30_000 + b"}"),
                       ("binary", bytes(range(256))), ("alias", b"run: &a [*a]")]:
        (tmp_path / name).write_bytes(text)
        done = run("train", tmp_path / name, "--print-config", timeout=20)
        assert done.returncode == 2 and done.stderr.startswith("error: ") and len(done.stderr) < 600, (name, done.stderr)
        assert done.stderr.isascii() and done.stderr.rstrip("\n").isprintable()


def test_ranks_with_different_settings_are_refused(tmp_path):
    """One key apart: what is exchanged, what each rank does with it by itself, when all must meet."""
    pairs = ["comm.compressor=sign,topk:1%", "optimizer.lr=0.1,0.3", "optimizer.nesterov=true,false", "lr_scheduler.warmup_epochs=0.2,0.3",
             "train.delay=0,1", "data.batch_size=4,8", "data.augment=none,crop_flip", "train.steps=10,20", "train.mode=sync,async",
             "train.mode=async,sync", "train.mode=sync,local", "log.every_steps=1,2", "checkpoint.every_epochs=0,1"]  # fmt: skip
    jobs = {}
    for pair in pairs:
        key, values = pair.split("=")
        words = [word for word in ranks.tiny(tmp_path / key, "comm.timeout_s=60") if not word.startswith(key + "=")]
        jobs[pair] = ranks.start_ranks(2, lambda rank: [ranks.PROGRAM, *words, f"{key}={values.split(',')[rank]}"])
    for pair, job in jobs.items():
        key, (zero, one) = pair.split("=")[0], pair.split("=")[1].split(",")
        for rank, (code, output) in enumerate(ranks.finish(job, timeout=60)):
            if (rank, pair) == (0, "train.mode=async,sync"):
                assert code == 1 and f"{key}: rank 0 has async, rank 1 has sync" in output, output  # it met no worker
            else:
                assert code == 2 and f"{key}: rank 0 has {zero}" in output and one in output, f"{pair}, {rank}: {code} {output}"


def test_a_second_job_on_the_port_of_another_is_refused_in_a_line(tmp_path):
    (first,) = ranks.start_ranks(1, [ranks.PROGRAM, *ranks.tiny(tmp_path / "first", "train.steps=100000", "log.every_steps=1")])
    try:
        wait_for_steps(tmp_path / "first", 1)
        variables = dict(pair.split("=", 1) for pair in pathlib.Path(f"/proc/{first.pid}/environ").read_text().split("\0") if "=" in pair)
        begin = time.monotonic()
        done = run(*ranks.tiny(tmp_path / "second", "comm.timeout_s=60"), env=variables)
        assert done.returncode == 1 and re.search(rf"port {variables['MASTER_PORT']} of 127.0.0.1: .*in use", done.stderr), done.stderr
        assert len(done.stderr.splitlines()) == 1 and time.monotonic() - begin < 30, done.stderr
    finally:
        first.kill()


def test_torchrun_starts_it(tmp_path):
    torchrun = [os.environ["GRADWIRE_PYTHON"], "-m", "torch.distributed.run", "--no-python", "--nproc-per-node=2",
                f"--master-port={ranks.free_port()}"]
    done = subprocess.run([*torchrun, ranks.PROGRAM, *ranks.tiny(tmp_path, "train.steps=3")], capture_output=True, text=True,
                          timeout=240)
    assert done.returncode == 0, done.stderr
    assert records(tmp_path)[-1]["final"] is True


@pytest.mark.slow
def test_fifty_runs_in_a_row_end_well(tmp_path):
    for i in range(50):
        done = run(*ranks.tiny(tmp_path, "train.steps=2"))
        assert done.returncode == 0, f"run {i}: {done.stderr}"
        assert not re.search("terminate|abort", done.stderr), done.stderr


CONVEX = ["run.nproc=3", "objective.name=quadratic", "objective.data=q3", "optimizer.lr=0.02", "train.steps=60",
          "comm.method=ef", "comm.compressor=topk:1", "log.every_steps=20"]


def test_convex_runs_are_the_same_with_threads_and_with_processes(tmp_path):
    config = tmp_path / "empty.yaml"
    config.write_text("")
    seen = []
    for launch in ["threads", "processes"]:
        done = run("train", config, *CONVEX, f"run.launch={launch}", f"run.output_dir={tmp_path / launch}")
        assert done.returncode == 0, done.stderr
        seen.append([{k: v for k, v in line.items() if k != "wall_s"} for line in records(tmp_path / launch)])
    assert seen[0] == seen[1] and seen[0][-1]["final"] is True and seen[0][-1]["step"] == 60


def test_a_sweep_over_processes_compares_its_runs(tmp_path):
    config = tmp_path / "empty.yaml"
    config.write_text("")
    words = [word for word in CONVEX if not word.startswith("comm.method")]
    done = run("sweep", config, *words, "comm.method=ef,dcgd", f"run.output_dir={tmp_path}", "--x", "steps",
               "--plot", tmp_path / "plot.svg")
    assert done.returncode == 0, done.stderr
    assert "final f_gap" in done.stdout and "at 60 steps" in done.stdout
    assert ">method=dcgd</text>" in (tmp_path / "plot.svg").read_text()


def test_runs_of_networks_compare_by_their_loss(tmp_path):
    assert run(*ranks.tiny(tmp_path / "a", "train.steps=4", "log.every_steps=2")).returncode == 0
    done = run("compare", tmp_path / "a", "--x", "bits", "--csv", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    lines = records(tmp_path / "a")
    rows = (tmp_path / "a.csv").read_text().splitlines()
    assert rows[0] == "run,method,compressor,bits,loss"
    assert [float(row.split(",")[3]) for row in rows[1:]] == [8 * r["bytes_total"] for r in lines if "loss" in r]
