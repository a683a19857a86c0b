# SPDX-License-Identifier: Apache-2.0
"""Runs two builds of gradwire side by side on one machine and prints the first difference of each part.

    cmake -B build -DGRADWIRE_NET=ON && cmake --build build --target gradwire gradwire_fingerprint
    python tests/net/compare_builds.py OLD_BUILD NEW_BUILD [--only exchange|runs|saves] [--but bytes_sent ...]

exchange: every method, operator and topology in float and double, 20 rounds on threads: messages, results, memory.
runs:     every mode of the trainer for 12 steps: model.pt and the records but for times.
saves:    what the old build saved, the new one resumes, and the other way round.

Exit code 1 where anything differs or fails: what is meant to differ must be looked at line by line.
"""
import argparse
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TIMES = {"wall_s", "imgs_per_s", "t_step", "t_compute", "t_encode", "t_wire", "t_decode"}
NETWORK = ["configs/quickstart.yaml", "data.dataset=synthetic", "data.batch_size=8", "train.steps=12", "log.every_steps=3", "comm.timeout_s=120"]
SAVING = ["checkpoint.every_epochs=1", "checkpoint.resume=auto", "lr_scheduler.name=constant", "lr_scheduler.warmup_epochs=0"]  # whatever the number of steps
CONVEX = ["configs/convex/q3.yaml", "train.steps=12", "log.every_steps=3"]
RUNS = {
    "sync": [*NETWORK],
    "sync none": [*NETWORK, "comm.method=none", "comm.compressor=identity"],
    "sync sharded": [*NETWORK, "comm.method=doublesqueeze"],
    "sync ef21": [*NETWORK, "comm.method=ef21", "comm.compressor=topk:1%"],
    "sync diana": [*NETWORK, "comm.method=diana", "comm.compressor=qsgd:7"],
    "sync marina": [*NETWORK, "comm.method=marina", "comm.compressor=randk:2%", "optimizer.lr=0.001"],
    "delayed": [*NETWORK, "train.delay=2"],
    "local": [*NETWORK, "train.mode=local", "local.sync_every=4"],
    "diloco": [*NETWORK, "train.mode=local", "local.sync_every=4", "local.outer_lr=0.7", "local.outer_momentum=0.9"],
    "post-local skip": [*NETWORK, "train.mode=local", "local.random=0.5", "local.start_iter=3", "local.shift=skip", "optimizer.momentum=0",
                        "optimizer.nesterov=false", "comm.method=none", "comm.compressor=identity"],
    "async": [*NETWORK, "train.mode=async", "optimizer.lr=0.01"],  # one worker: the order of its gradients is no chance
    "convex sync": [*CONVEX, "comm.method=ef", "comm.compressor=topk:1"],
    "convex processes": [*CONVEX, "comm.method=ef21", "comm.compressor=topk:1", "run.launch=processes"],
    "convex delayed": [*CONVEX, "comm.method=ef", "comm.compressor=topk:1", "train.delay=2"],
    "convex local": [*CONVEX, "train.mode=local", "local.sync_every=4", "comm.method=ef", "comm.compressor=topk:1"],
    "convex sharded": [*CONVEX, "comm.method=dore", "comm.compressor=randk:1"],
    "convex votes": [*CONVEX, "comm.method=signsgd_mv", "comm.compressor=sign:plain"],
    "convex some": [*CONVEX, "comm.method=dcgd", "comm.compressor=randk:1", "comm.participation=nice:40%"],
    "convex learner": [*CONVEX, "comm.method=ec_diana", "comm.compressor=topk:1", "comm.start_iter=3"],
    "convex dense": [*CONVEX, "comm.method=none", "comm.compressor=identity"],
    "convex shift": [*CONVEX, "train.mode=local", "local.random=0.3", "local.shift=skip", "comm.method=none", "comm.compressor=identity"],
    "convex anchor": [*CONVEX, "train.mode=local", "local.random=0.3", "local.shift=anchor", "local.anchor_p=0.3", "objective.estimator=anchored",
                      "comm.method=ef21", "comm.compressor=topk:1"],
    "convex async": ["configs/convex/async.yaml", "train.steps=60", "log.every_steps=10"],
}


FAILED = []  # runs


def train(build, folder, words):
    """Whether it came to its end, and its last words where it did not: no run here is meant to fail."""
    words = [build / "gradwire", "train", SOURCE / words[0], *words[1:], f"run.output_dir={folder}"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=600)
    if done.returncode:
        FAILED.append(folder.name)
        print(f"FAILED  {folder.name}: exit code {done.returncode}\n  " + "\n  ".join(done.stderr.splitlines()[-3:]), flush=True)
    return [f"exit code {done.returncode}"]


def results(folder):
    """Records without times, and the model's bytes in hexadecimal."""
    lines = []
    if (folder / "metrics.jsonl").exists():
        for line in (folder / "metrics.jsonl").read_text().splitlines():
            lines.append(json.dumps({key: value for key, value in json.loads(line).items() if key not in TIMES}, sort_keys=True))
    model = folder / "model.pt"
    return [*lines, f"model.pt {hash_of(model)}" if model.exists() else "no model.pt"]


def hash_of(file):
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()


def differ(what, old, new):
    """Prints the first line that differs; whether there is one."""
    for place, (a, b) in enumerate(itertools.zip_longest(old, new)):
        if a != b:
            print(f"DIFFERS {what}, line {place + 1}\n  old: {a}\n  new: {b}", flush=True)
            return True
    print(f"same    {what} ({len(old)} lines)", flush=True)
    return False


def compare_exchange(old, new, _):
    prints = [subprocess.run([build / "gradwire_fingerprint"], capture_output=True, text=True, check=True, timeout=1200).stdout.splitlines()
              for build in (old / "tests", new / "tests")]  # fmt: skip
    by_method = [{key: list(lines) for key, lines in itertools.groupby(lines, lambda line: line.split()[0])} for lines in prints]
    return [differ(f"exchange of {method}", *(lines.get(method, []) for lines in by_method)) for method in by_method[0] | by_method[1]]


def compare_runs(old, new, folder):
    for name, words in RUNS.items():
        found = []
        for place, build in (("old", old), ("new", new)):
            output = folder / f"{place} {name}"
            said = train(build, output, words)
            found.append([*said, *results(output)])
        yield differ(f"run: {name}", *found)


def compare_saves(old, new, folder):
    """Half of the steps by one build and the rest by the other give what the old build gives, stopped at the same step: an
    asynchronous worker that comes anew has no residual."""
    for name, words in RUNS.items():
        found = {}
        for order, first, second in (("old", old, old), ("old first", old, new), ("new first", new, old)):
            output = folder / f"{order} {name}"
            steps = next(int(word.split("=")[1]) for word in reversed(words) if word.startswith("train.steps="))
            said = train(first, output, [*(w for w in words if not w.startswith("train.steps=")), f"train.steps={steps // 2}", *SAVING])
            found[order] = [*said, *train(second, output, [*words, *SAVING]), *results(output)]
        for order in ("old first", "new first"):
            yield differ(f"saves: {name}, {order}", found["old"], found[order])


PARTS = {"exchange": compare_exchange, "runs": compare_runs, "saves": compare_saves}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=pathlib.Path)
    parser.add_argument("new", type=pathlib.Path)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--but", nargs="*", default=[], metavar="FIELD", help="of the records, which are meant to differ")
    asked = parser.parse_args()
    TIMES.update(asked.but)
    with tempfile.TemporaryDirectory() as folder:
        parts = [asked.only] if asked.only else list(PARTS)
        found = [difference for part in parts for difference in PARTS[part](asked.old.resolve(), asked.new.resolve(), pathlib.Path(folder))]
    print(f"{sum(found)} of {len(found)} differ, {len(FAILED)} runs failed")
    sys.exit(any(found) or bool(FAILED))


if __name__ == "__main__":
    main()
