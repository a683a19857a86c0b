# SPDX-License-Identifier: Apache-2.0
"""comm.when in the trainer: ranks as processes. topk:100% sends more than dense gradients, and never pays; what ef + sign comes to
over loopback is the machine's own matter."""
import pytest
import snapshots
from runs import Program, noise_images, records, saves

ASKED = ["comm.method=auto", "comm.compressor=auto"]  # quickstart.yaml names both
NEVER = ["comm.method=ef", "comm.compressor=topk:100%", "comm.when=pays"]
SAVE = ["checkpoint.every_minutes=0.00001", "checkpoint.keep_last=100", "log.every_steps=1"]

PROGRAM = Program()
run = PROGRAM.run


@pytest.fixture(scope="module", autouse=True)
def images(tmp_path_factory):
    PROGRAM.words[:] = noise_images(tmp_path_factory.mktemp("images"))


def line_about_when(said):
    lines = [line for line in said.splitlines() if "comm.when: pays" in line]
    assert len(lines) == 1, said
    return lines[0]


def test_where_compression_would_lose_the_run_is_that_of_method_none(tmp_path):
    line = line_about_when(run(tmp_path / "pays", *NEVER, "train.steps=4", "log.every_steps=1"))
    assert "ef + topk:100% would lose, so that gradients stay dense" in line and "dense is faster" in line
    run(tmp_path / "none", "comm.method=none", "comm.compressor=identity", "train.steps=4", "log.every_steps=1")
    assert records(tmp_path / "pays") == records(tmp_path / "none")
    assert (tmp_path / "pays/model.pt").read_bytes() == (tmp_path / "none/model.pt").read_bytes()


@pytest.mark.parametrize("words", [ASKED, NEVER], ids=["asked", "never"])
def test_a_resumed_run_keeps_the_answer_and_the_bits(tmp_path, words):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    words = [*words, *SAVE, "train.steps=7"]
    first = line_about_when(run(whole, *words))
    stays_dense = "stay dense" in first
    save = next(save for save in saves(whole) if "step00000002" < save.name < "step00000007")
    assert snapshots.read(save / "rank0")["comm.when"] == snapshots.read(save / "rank1")["comm.when"] == (b"dense" if stays_dense else b"compress")
    line = line_about_when(run(resumed, *words, f"checkpoint.resume={save}"))
    assert f"comm.when: pays: {'dense' if stays_dense else 'compress'}, as in {save}" in line
    begun = int(save.name.removeprefix("step"))
    assert records(resumed) == [record for record in records(whole) if record["step"] > begun]
    assert (resumed / "model.pt").read_bytes() == (whole / "model.pt").read_bytes()
    assert {record["method"] for record in records(resumed) if "method" in record} == {"none" if stays_dense else "ef"}
    refused = run(tmp_path / "always", *words, "comm.when=always", f"checkpoint.resume={save}", code=2)
    assert "comm.when: saved with pays, this run has always" in refused


def test_the_config_that_a_run_leaves_asks_the_same_question(tmp_path):
    run(tmp_path, *NEVER, "train.steps=1")
    text = (tmp_path / "config.yaml").read_text()
    assert "  method: ef\n" in text and "  compressor: topk:100%\n" in text and "  when: pays\n" in text


def test_where_it_means_nothing_it_is_refused_by_name(tmp_path):
    said = run(tmp_path / "local", *ASKED, "comm.when=pays", "train.mode=local", "local.sync_every=2", code=2)
    assert "comm.when: found pays, expected the default auto because train.mode is local" in said
    said = run(tmp_path / "one", *ASKED, "run.nproc=1", "train.steps=2")
    assert "comm.when: one rank has nobody to send gradients to" in said
