# SPDX-License-Identifier: Apache-2.0
"""`gradwire bench exchange` and `bench advise` as a user meets them: what they write, and that hosts go. How fast anything is, no test says."""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import time

import pytest
import ranks

BENCH = ["bench", "exchange", "--steps", "1"]
SMALL = [*BENCH, "--model", "20000", "--rounds", "2"]


PROGRAM = [ranks.PROGRAM]
PYTHON = [sys.executable, "-m", "gradwire"]
PATH = dict(os.environ, PYTHONPATH=str(ranks.BUILD / "python"))
DOORS = pytest.mark.parametrize("door", [
    pytest.param(PROGRAM, id="program"),
    pytest.param(PYTHON, id="python", marks=pytest.mark.skipif(not (ranks.BUILD / "python/gradwire").exists(), reason="built without the Python module")),
])  # fmt: skip


def run(*words, door=PROGRAM, timeout=240):
    return subprocess.run([*door, *words], capture_output=True, text=True, timeout=timeout, env=PATH)


def namespaces_of(process):
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    return [name for name in listed.split() if name.startswith(f"gradwire-bench-{process.pid}-")]


def ranks_of(process):
    return pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def sent_by(namespace):
    listed = subprocess.run(["ip", "-n", namespace, "-json", "-statistics", "link"], capture_output=True, text=True).stdout
    return sum(link["stats64"]["tx"]["bytes"] for link in json.loads(listed or "[]"))


def wait_for_rounds(process):
    """Until the ranks of --model 20000 have met and exchange gradients: each host has sent more than three dense ones."""
    end = time.monotonic() + 120
    while not (len(found := namespaces_of(process)) == 2 and all(sent_by(host) > 3 * 80_000 for host in found)):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.1)


@pytest.fixture(scope="module")
def hosts():
    """Skips where this machine makes no shaped hosts."""
    done = run(*SMALL, "--rate", "100mbit", "--compressor", "ef+sign")
    if done.returncode != 0 and "--rate" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return done.stdout


@DOORS
def test_dense_floor_and_compressors_are_timed_and_counted(door, tmp_path):
    file = tmp_path / "exchange.json"
    done = run(*SMALL, "--compressor", "none", "--compressor", "ef+sign min_compress_numel=0", "--json", file, door=door)
    assert done.returncode == 0, done.stderr
    written = json.loads(file.read_text())
    variants = {variant["name"]: variant for variant in written["variants"]}
    assert list(variants) == ["dense DDP", "floor", "none", "ef+sign min_compress_numel=0"]
    assert written["interface"] == "lo" and written["ranks"] == 2 and len(variants["floor"]["rounds_s"]) == 2
    sign = variants["ef+sign min_compress_numel=0"]
    assert 20_000 / 8 < sign["bytes"] < 20_000 / 4 < 80_000 <= variants["none"]["bytes"] <= 81_000
    for name in ("dense DDP", "none"):
        assert variants[name]["interface_bytes"] > 80_000  # that others send over loopback counts as well
    assert all(name in done.stdout for name in variants)


def test_three_ranks_over_shaped_hosts_count_bytes_by_their_interfaces(hosts, tmp_path):
    assert "over 100mbit each way (tbf, burst 128 kB)" in hosts
    file = tmp_path / "exchange.json"
    done = run(*SMALL, "--ranks", "3", "--rate", "1gbit", "--compressor", "none", "--json", file)
    assert done.returncode == 0, done.stderr
    none = json.loads(file.read_text())["variants"][2]
    assert none["bytes"] <= none["interface_bytes"] < 1.2 * none["bytes"]  # headers and acknowledgements


@DOORS
def test_ctrl_c_takes_the_hosts_away(door, hosts):
    process = subprocess.Popen([*door, *BENCH, "--model", "20000", "--rounds", "100000", "--rate", "100mbit"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, start_new_session=True, env=PATH)  # fmt: skip
    try:
        wait_for_rounds(process)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 128 + signal.SIGINT
    finally:
        process.kill()
        process.communicate()
    assert namespaces_of(process) == []


@DOORS
def test_kernels_are_checked_and_timed(door, tmp_path):
    file = tmp_path / "kernels.json"
    done = run("bench", "kernels", "--only", "sign", "--numel", "5000", "--rounds", "2", "--goals", "--json", file, door=door)
    assert done.returncode == 0, done.stderr
    written = json.loads(file.read_text())
    assert written["wrong"] == [] and {entry["operator"] for entry in written["operators"]} >= {"sign", "ssign"}
    assert "encode + feedback" in done.stdout


def test_a_rank_that_dies_ends_the_run_and_the_hosts(hosts):
    process = subprocess.Popen([*PROGRAM, *BENCH, "--model", "20000", "--rounds", "100000", "--rate", "100mbit"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=PATH)  # fmt: skip
    try:
        wait_for_rounds(process)
        os.kill(int(ranks_of(process)[1]), signal.SIGKILL)
        said = process.communicate(timeout=120)[1]
        assert process.returncode == 128 + signal.SIGKILL and "rank 1 was killed by SIGKILL" in said
    finally:
        process.kill()
    assert namespaces_of(process) == []


@DOORS
@pytest.mark.parametrize("words, said", [
    (["--compressor", "ef+sgin"], "did you mean 'sign'"),
    (["--rate", "1g"], "as in 100mbit or 1gbit"),
    (["--model", "resnet19"], "expected resnet18, or a number of elements"),
    (["--ranks", "1"], "expected 2 to 64"),
])  # fmt: skip
def test_wrong_words_are_refused_before_anything_starts(door, words, said):
    done = run(*BENCH, *words, door=door)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


ADVISE = ["bench", "advise", "--compressor", "ef+sign", "--compressor", "dcgd+fp16"]


def advice(folder, *words, door=PROGRAM):
    done = run(*ADVISE, "--json", str(folder / "advice.json"), *words, door=door)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "advice.json").read_text())


@DOORS
def test_advice_is_a_line_for_each_operator_and_a_sentence(tmp_path, door):
    header = json.dumps({"w": {"dtype": "F32", "shape": [300, 100], "data_offsets": [0, 120000]}}).encode()
    model = tmp_path / "model.safetensors"
    model.write_bytes(struct.pack("<Q", len(header)) + header)
    text, found = advice(tmp_path, "--model", str(model), "--ranks", "3", door=door)
    assert found["dense_bytes"] == 2 * 2 * 120_000 // 3 and found["bytes_per_s"] > 0 and "over loopback" in text
    assert [row["name"] for row in found["operators"]] == ["ef+sign", "dcgd+fp16"]
    best = min(found["operators"], key=lambda row: (not row["pays"], row["exchange_s"]))
    assert found["advice"] == (best["name"] if best["pays"] else "dense")
    assert (f"{best['name']} pays: an exchange costs" if best["pays"] else "None of them pays") in text


@DOORS
def test_advice_over_a_slow_link_is_to_compress(tmp_path, door):
    text, found = advice(tmp_path, "--model", "500000", "--rate", "10mbit", door=door)  # made as root, else taken at its word
    assert found["advice"] == "ef+sign", text
    assert 0.8e6 < found["bytes_per_s"] < 3e6


@DOORS
def test_what_advice_cannot_be_asked_about_says_what_it_can(tmp_path, door):
    for words, said in (
        (["--ranks", "1"], "one rank exchanges nothing; expected 2 or more"),
        (["--model", "resnet19"], "is no model known here; expected resnet18, a number of elements"),
        (["--ranks", "4", "--ranks-per-host", "4", "--rate", "1gbit"], "all ranks are on one host"),
    ):
        done = run(*ADVISE, *words, door=door)
        assert done.returncode == 2 and said in done.stderr, done.stderr


@DOORS
def test_shapes_of_a_pt_file_are_read(tmp_path, door):
    torch = pytest.importorskip("torch")
    torch.save({"w": torch.zeros(40, 50, dtype=torch.bfloat16), "n": torch.tensor(3)}, tmp_path / "m.pt")
    _, found = advice(tmp_path, "--model", str(tmp_path / "m.pt"), door=door)
    assert found["dense_bytes"] == 2 * 2000
    (tmp_path / "n.pt").write_bytes(b"nothing")
    done = run(*ADVISE, "--model", str(tmp_path / "n.pt"), door=door)
    assert done.returncode == 2 and "torch.save(model.state_dict(), path)" in done.stderr, done.stderr
