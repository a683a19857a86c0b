# SPDX-License-Identifier: Apache-2.0
"""Every key of a network's run is read or refused; config_scope_test.cc asks the same of convex problems."""
import re

import pytest
import ranks
from runs import noise_images, records
from test_program import run

BASE = """
run: {nproc: 2}
model: {name: resnet8}
data: {dataset: cifar10, batch_size: 5}
optimizer: {lr: 0.1}
lr_scheduler: {name: multistep, milestones: [1.5], warmup_epochs: 0.5}
train: {epochs: 2}
comm: {method: ef, compressor: sign, min_compress_numel: 10}
checkpoint: {every_epochs: 1}
log: {every_steps: 2}
"""
MODES = {
    "sync": [],
    "local": ["train.mode=local", "local.sync_every=3", "local.outer_momentum=0.5"],
    "gossip": ["train.mode=gossip", "comm.method=auto", "gossip.method=motef", "gossip.gamma=0.4", "gossip.lambda=0.5", "run.nproc=3"],
    "async": ["train.mode=async"],  # of one worker, whose order is always the same
}
VALUES = {
    "comm.method": ["ec", "diana"], "comm.compressor": ["topk:1%"], "comm.learner": ["randk:1%"], "comm.down_compressor": ["sign"],
    "comm.participation": ["nice:50%"], "comm.min_compress_numel": ["5000"], "comm.bucket_cap_mb": ["0.01"], "comm.down": ["raw"],
    "async.down": ["natural"], "async.speeds": ["[2]"], "lr_scheduler.milestones": ["[0.5]"], "local.gradient_p": ["[0.5]"],
    "checkpoint.keep_last": ["1"], "model.num_classes": ["11"], "objective.data": ["lr"], "train.slow_factor": ["2"],
    "comm.threads": ["3"], "comm.aggregate": ["norm_cap"],
}  # fmt: skip
# Read, and of no consequence to the numbers of this run: where and how fast it runs; the only worker there is; pieces that no tensor
# of the model is larger than; whether compression pays, which is this machine's own matter.
MAY_CHANGE_NOTHING = {"run.output_dir", "comm.timeout_s", "checkpoint.resume", "checkpoint.every_minutes", "train.slow_rank", "async.assign",
                      "async.max_staleness", "async.server", "comm.piece", "comm.threads", "comm.when"}  # fmt: skip


def keys():
    """(name, type, default, range) of every key, as the program says."""
    section, found = "", []
    for line in run("keys").stdout.splitlines():
        if line.startswith("## "):
            section = line[3:]
        elif row := re.fullmatch(r"\| `(\w+)` \| ([^|]*) \| `(.*?)` \| ([^|]*) \| .* \|", line):
            found.append((f"{section}.{row[1]}", *row.groups()[1:]))
    return found


def values(name, kind, default, allowed):
    if name in VALUES:
        return VALUES[name]
    if kind.startswith("boolean"):
        return ["false" if default == "true" else "true"]
    if allowed.startswith("one of "):
        return [choice for choice in allowed.removeprefix("one of ").split(", ") if choice != default]
    return ["3"] if kind == "integer" else ["0.3", "1.3"]


def settings(config, words):
    """What is set, by key."""
    section, found = "", {}
    for line in run("train", config, *words, "--print-config").stdout.splitlines():
        if line.startswith("  "):
            leaf, _, value = line.strip().partition(": ")
            found[f"{section}.{leaf}"] = value
        else:
            section = line.rstrip(":")
    return found


def traces(config, folder, words):
    """What a run leaves, but for times; None and what it said where it is refused."""
    words = {word.split("=")[0]: word for word in words}.values()
    if (plan := run("train", config, *words, f"run.output_dir={folder}", "--print-config")).returncode == 2:
        return None, plan.stderr
    done = run("train", config, *words, f"run.output_dir={folder}")
    if done.returncode == 2:
        return None, done.stderr
    assert done.returncode == 0, (words, done.stderr)
    return records(folder), sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_every_key_of_a_network_is_read_or_refused(tmp_path, mode):
    (tmp_path / "images").mkdir()
    words = [noise_images(tmp_path / "images")[1], *MODES[mode]]
    config = tmp_path / "base.yaml"
    config.write_text(BASE)
    base = traces(config, tmp_path / "base", words)
    assert base[0] and traces(config, tmp_path / "again", words) == base, "a run that is not the same twice tells nothing"
    now, dead = settings(config, words), []
    for name, *about in keys():
        ignored = None
        for value in values(name, *about):
            word = f"{name}={value}"
            if name in {"train.mode", *MAY_CHANGE_NOTHING} or now[name] == value:
                continue
            seen = traces(config, tmp_path / word, [*words, word])
            if seen[0] is None:
                assert any(key in seen[1] for key in now), (word, seen[1])
            elif seen != base:
                ignored = None
                break
            else:
                ignored = word
        if ignored:
            dead.append(ignored)
    assert not dead
