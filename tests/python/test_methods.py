# SPDX-License-Identifier: Apache-2.0
"""Laws of methods that need more of a network than the gradient of a batch, read from what runs save."""
import math

import pytest
import snapshots
from runs import Program, noise_images, records, saves

SAVE = ["checkpoint.every_minutes=0.00001", "checkpoint.keep_last=100", "log.every_steps=1"]
EXACT = ["comm.compressor=identity", "comm.min_compress_numel=0", "comm.compress_1d=true"]
PROGRAM = Program()
run = PROGRAM.run


@pytest.fixture(scope="module", autouse=True)
def images(tmp_path_factory):
    PROGRAM.words[:] = noise_images(tmp_path_factory.mktemp("images"))


def entries(folder, prefix, rank=0, save=-1):
    """By what stands behind the prefix."""
    saved = snapshots.read(saves(folder)[save] / f"rank{rank}")
    found = {key.removeprefix(prefix): value for key, value in saved.items() if key.startswith(prefix)}
    assert found
    return found


@pytest.mark.parametrize("method", ["marina", "vr_marina"])
def test_marinas_changes_are_of_one_batch(tmp_path, method):
    """A model that stands still has no change of its gradient, whatever the batches are; statistics move once a step."""
    still = [*SAVE, *EXACT, "optimizer.lr=0", "train.steps=4"]
    run(tmp_path / "marina", *still, f"comm.method={method}", "comm.p=0")
    run(tmp_path / "none", *still, "comm.method=none")
    first, last = (entries(tmp_path / "marina", "up/mean h/", save=save) for save in (0, -1))
    assert saves(tmp_path / "marina")[0] != saves(tmp_path / "marina")[-1] and first == last
    assert entries(tmp_path / "marina", "up/y/", save=0) != entries(tmp_path / "marina", "up/y/")
    assert entries(tmp_path / "marina", "buffer/") == entries(tmp_path / "none", "buffer/")


def test_at_the_anchor_every_batch_gives_the_whole_epochs_gradient(tmp_path):
    """A model that stands still is its own anchor: grad_B(x) - grad_B(x) + grad f_i(x), which DIANA's shift of an exact operator
    is after a step; without an anchor it is the gradient of the last batch. Statistics move once a step."""
    still = [*SAVE, *EXACT, "run.nproc=2", "data.batch_size=5", "data.augment=none", "optimizer.lr=0", "comm.alpha=1"]
    run(tmp_path / "anchor", *still, "train.steps=4", "comm.method=vr_diana", "objective.anchor_period=1000000")
    for steps in range(1, 5):  # an epoch: 40 images by 2 ranks of 5
        run(tmp_path / f"plain{steps}", *still, f"train.steps={steps}", "comm.method=diana")
    for rank in (0, 1):
        batches = [entries(tmp_path / f"plain{steps}", "up/h/", rank) for steps in range(1, 5)]
        anchored = [entries(tmp_path / "anchor", "up/h/", rank, save) for save in (0, -1)]
        for name in batches[0]:
            mean = [sum(values) / 4 for values in zip(*(snapshots.floats(batch[name]) for batch in batches))]
            largest = max(map(abs, mean))
            for shift in anchored:
                assert snapshots.floats(shift[name]) == pytest.approx(mean, abs=1e-4 * largest), name
            assert snapshots.floats(batches[3][name]) != pytest.approx(mean, abs=1e-1 * largest), name
    assert entries(tmp_path / "anchor", "buffer/") == entries(tmp_path / "plain4", "buffer/")


def test_an_anchor_moves_to_the_model_by_one_coin(tmp_path):
    words = [*SAVE, "train.steps=16", "comm.method=vr_diana", "comm.compressor=randk:10%", "objective.anchor_period=4"]
    run(tmp_path, *words)
    for rank in (0, 1):
        anchors = [entries(tmp_path, "anchor", rank, save)[""] for save in range(len(saves(tmp_path)))]
        moves = sum(a != b for a, b in zip(anchors, anchors[1:]))
        assert 0 < moves < len(anchors) - 1
        assert anchors == [entries(tmp_path, "anchor", 0, save)[""] for save in range(len(anchors))], "the same on all ranks"


@pytest.mark.parametrize("method", ["ssdm", "clip21_sgd2m", "vr_diana", "ec_lsvrg", "ec_lsvrg_diana"])
def test_a_short_run_learns_its_images_by_heart(tmp_path, method):
    """40 images of noise, ResNet-8."""
    words = {"ssdm": ["comm.compressor=auto", "optimizer.lr=0.02", "optimizer.momentum=0", "optimizer.nesterov=false"],
             "clip21_sgd2m": ["comm.compressor=clip:10", "comm.alpha=1"],
             "vr_diana": ["comm.compressor=randk:25%", "objective.anchor_period=20"],
             "ec_lsvrg_diana": ["comm.compressor=topk:10%", "comm.learner=randk:10%", "objective.anchor_period=20"]}
    run(tmp_path, "data.augment=none", "data.batch_size=10", f"comm.method={method}", "train.epochs=30", "train.steps=60",
        "optimizer.lr=0.1", "lr_scheduler.warmup_epochs=0", "log.every_steps=10", "log.eval_every=1000",
        *words.get(method, ["comm.compressor=topk:10%", "objective.anchor_period=20"]))
    losses = [record["loss"] for record in records(tmp_path) if "loss" in record]
    assert losses[-1] < 0.85 * losses[0], losses


def test_marina_of_the_whole_set_is_gradient_descent(tmp_path):
    """One rank, all images in each batch, nothing compressed: changes add up to the gradient."""
    words = [*EXACT, "run.nproc=1", "data.batch_size=40", "data.augment=none", "train.epochs=5", "train.steps=5",
             "optimizer.lr=0.05", "log.every_steps=1"]
    run(tmp_path / "marina", *words, "comm.method=marina", "comm.p=0")
    run(tmp_path / "none", *words, "comm.method=none")
    losses = [[record["loss"] for record in records(tmp_path / name) if "loss" in record] for name in ("marina", "none")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3) and losses[1][-1] != pytest.approx(losses[1][0], rel=1e-2)


def test_learned_shifts_are_of_a_sample_of_their_own(tmp_path):
    """At a model that stands still the shift is a gradient less the ranks' mean: not that of the last batch, which
    marina's memory of a dense round is."""
    still = [*SAVE, *EXACT, "optimizer.lr=0", "train.steps=2"]
    run(tmp_path / "learn", *still, "comm.method=none", "train.mode=local", "local.sync_every=2", "local.shift=learn")
    run(tmp_path / "last", *still, "comm.method=marina", "comm.p=1")
    last = [entries(tmp_path / "last", "up/y/", rank) for rank in (0, 1)]
    of_last_batch = sum((a - b) ** 2 / 4 for name in last[0] for a, b in zip(*(snapshots.floats(rank[name]) for rank in last)))
    learned = sum(x ** 2 for x in snapshots.floats(entries(tmp_path / "learn", "shift")[""]))
    assert learned > 0 and not math.isclose(learned, of_last_batch, rel_tol=1e-2)


def test_grad_skip_that_always_rests_is_sgd_with_its_weight_decay(tmp_path):
    """With q = 0 and an agreement a step, x = mean (x_i - lr h_i), and h_i is all that a step moves along."""
    words = [*EXACT, "comm.method=none", "optimizer.momentum=0", "optimizer.nesterov=false", "optimizer.lr=0.05",
             "optimizer.weight_decay=3", "train.steps=4", "log.every_steps=1"]
    run(tmp_path / "rest", *words, "train.mode=local", "local.random=1", "local.shift=skip", "local.gradient_p=[0]")
    run(tmp_path / "sgd", *words)
    losses = [[record["loss"] for record in records(tmp_path / name) if "loss" in record] for name in ("rest", "sgd")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
