# SPDX-License-Identifier: Apache-2.0
"""gradwire.attach on Python's DistributedDataParallel, under torchrun. The laws are those of attach_laws.py,
copy_laws.py, handle_laws.py, rate_laws.py and when_laws.py."""
import re
import signal
import subprocess
import sys
import time

import pytest
import ranks
from torchrun import HERE, NEEDS_GPU, check, environment, laws_of, read_results, torchrun


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each rank says of each law, by job; one torchrun each."""
    seen = {}

    def of(size, **settings):
        job = (size, *settings.values())
        if job not in seen:
            folder = tmp_path_factory.mktemp("laws")
            done = torchrun(size, HERE / "attach_laws.py", folder, **settings)
            assert done.returncode == 0, done.stdout + done.stderr
            seen[job] = read_results(folder, size)
        return seen[job]

    return of


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("law", laws_of("attach_laws.py", "copy_laws.py", "handle_laws.py", "rate_laws.py", "when_laws.py"))
def test_law(results, law, size):
    check(results(size), law)


@NEEDS_GPU
@pytest.mark.parametrize("backend", ["gloo", "nccl"])
@pytest.mark.parametrize("law", laws_of("attach_laws.py", "copy_laws.py", "handle_laws.py", "rate_laws.py", "when_laws.py"))
def test_law_on_a_gpu(results, law, backend):
    check(results(2, LAWS_DEVICE="cuda", LAWS_BACKEND=backend), law)


ON_GPU = {"LAWS_DEVICE": "cuda", "LAWS_BACKEND": "nccl"}
ON_BOTH = pytest.mark.parametrize("settings", [{}, pytest.param(ON_GPU, marks=NEEDS_GPU)], ids=["cpu", "gpu"])


def run_job(folder, size, *words, **settings):
    done = torchrun(size, HERE / "attach_job.py", folder, *words, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return {f.stem: f.read_text() for f in folder.glob("*.txt")}


@ON_BOTH
def test_a_resumed_job_goes_on_bit_for_bit(tmp_path, settings):
    every = ["--every", "ef,topk:5%", "ef21,topk:5%", "diana,randk:25%", "doublesqueeze,sign", "powersgd,rank:1"]
    straight = run_job(tmp_path, 2, "--steps", 60, "--save-at", 10, *every, **settings)
    resumed = run_job(tmp_path, 2, "--steps", 60, "--resume", 10, *every, **settings)
    assert len(straight) == 10 and resumed == straight
    for method in ("ef", "ef21", "diana", "doublesqueeze", "powersgd"):
        assert straight[f"{method}.weights0"] == straight[f"{method}.weights1"]


def test_another_world_size_keeps_the_mean_residual(tmp_path):
    run_job(tmp_path, 3, "--steps", 10, "--save-at", 10)
    run_job(tmp_path, 2, "--steps", 10, "--resume", 10, "--compare-mean")


@pytest.mark.slow
def test_owners_memory_is_held_once_after_another_world_size(tmp_path):
    """Sums over all ranks of what owners hold, before and after two changes of the world size."""
    words = ["--method", "doublesqueeze", "--compressor", "sign", "--steps", 10]
    run_job(tmp_path, 3, *words, "--save-at", 10)
    sums = [run_job(tmp_path, size, *words, "--resume", 10, "--save-at-once")["owners0"] for size in (2, 3)]
    assert sums[0] == sums[1]


def start_job(tmp_path, size, *words, **settings):
    return ranks.start_ranks(size, [sys.executable, HERE / "attach_job.py", tmp_path, *map(str, words)], env=environment(**settings))


@ON_BOTH
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_survivors_of_a_rank_name_it(tmp_path, settings, blow):
    job = start_job(tmp_path, 3, "--steps", 100000, "--timeout", 10, "--progress", **settings)
    try:
        first = job[0].stdout.readline()
        while first and "step 5" not in first:
            first = job[0].stdout.readline()
        job[1].send_signal(blow)
        then = time.monotonic()
        for rank, (code, output) in zip((0, 2), ranks.finish([job[0], job[2]], timeout=60)):
            assert code == 1 and re.search(r"rank 1 .*says rank", output), f"rank {rank}: {code}, {output}"
        assert time.monotonic() - then < 40
    finally:
        job[1].kill()


@pytest.mark.parametrize("victim, method, compressor", [(0, "ef", "topk:5%"), (1, "none", "identity"), (1, "powersgd", "rank:1")])
def test_survivors_of_a_frozen_store_or_sum_name_the_rank_and_end(tmp_path, victim, method, compressor):
    """Rank 0 serves the job's store; with `none` sums are under way, which Gloo's destructor would wait for."""
    job = start_job(tmp_path, 3, "--steps", 100000, "--timeout", 5, "--progress", "--method", method, "--compressor", compressor)
    try:
        watched = job[(victim + 1) % 3]
        while (line := watched.stdout.readline()) and "step 5" not in line:
            pass
        job[victim].send_signal(signal.SIGSTOP)
        for code, output in ranks.finish([process for rank, process in enumerate(job) if rank != victim], timeout=60):
            assert code == 1 and re.search(rf"rank {victim}\b.*says rank", output), f"{code}, {output}"
            assert "has waited" in output, output
    finally:
        job[victim].kill()


@pytest.mark.slow
def test_a_hundred_starts_and_stops_end_with_code_0(tmp_path):
    for n in range(100):
        for rank, (code, output) in enumerate(ranks.finish(start_job(tmp_path, 2, "--steps", 3), timeout=60)):
            assert code == 0, f"start {n}, rank {rank}: {code}, {output}"


ALONE = """
import os, sys, warnings, torch, torch.distributed as dist
from torch import nn
from torch.nn.modules import module as torch_nn
from torch.nn.parallel import DistributedDataParallel
dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
def step(ddp):
    ddp(torch.ones(8, 64)).square().mean().backward()
"""
WITH_GRADWIRE = ALONE + """
def traces():
    ddp = DistributedDataParallel(nn.Linear(64, 64))
    ours = [dict(vars(DistributedDataParallel)), dict(vars(nn.Module)), sorted(vars(ddp)), dict(ddp._forward_pre_hooks), type(ddp._comm_hooks)]
    return ours + [dict(value) for name, value in vars(torch_nn).items() if name.startswith("_global") and value is not None]
before = traces()
import gradwire
assert traces() == before, "importing gradwire left a trace in torch"

ddp = DistributedDataParallel(nn.Linear(64, 64))
os.environ["GRADWIRE_METHOD"] = "ef21"
with warnings.catch_warnings(record=True) as caught:
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.1)
    gradwire.attach(ddp, "ec", "topk:5%", start_iter=0, optimizer=optimizer)
assert "does not read GRADWIRE_METHOD" in str(caught[0].message), "a setting that nobody reads"
step(ddp)
torch.save(ddp, sys.argv[1])

os.environ["GRADWIRE_ALGORITHM"] = "ef21"
try:
    gradwire.attach(DistributedDataParallel(nn.Linear(64, 64)))
    raise AssertionError("a variable that nobody reads")
except gradwire.ConfigError as error:
    assert "GRADWIRE_ALGORITHM is no setting" in str(error)
del os.environ["GRADWIRE_ALGORITHM"], os.environ["GRADWIRE_METHOD"]

for backend in ("gradwire", "gloo"):  # groups of the same name
    dist.destroy_process_group()
    dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    step(ddp := DistributedDataParallel(nn.Linear(64, 64)))
    assert (gradwire.handle_of(ddp) is None) == (backend == "gloo"), "a group that has the name of one before"
    del ddp

try:
    from lightning.fabric.wrappers import _FabricModule
except ImportError:
    sys.exit()
inner = DistributedDataParallel(nn.Linear(64, 64))
wrapped = _FabricModule(torch.compile(inner), strategy=None, original_module=inner.module)
assert gradwire.attach(wrapped) is gradwire.handle_of(inner) is gradwire.handle_of(wrapped)
"""
WITHOUT_GRADWIRE = ALONE + """
sys.modules["gradwire"] = None  # an import fails
ddp = torch.load(sys.argv[1], weights_only=False)
step(ddp)
assert ddp.module.weight.grad.abs().sum() > 0
"""


def test_an_import_changes_nothing_and_a_file_loads_where_gradwire_is_not_installed(tmp_path):
    """And what needs a process of its own beside: an environment that attach does not read, groups of the same name, Fabric's wrapper."""
    for program in (WITH_GRADWIRE, WITHOUT_GRADWIRE):
        done = subprocess.run([sys.executable, "-c", program, tmp_path / "ddp.pt"], env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_attach_before_the_process_group_says_what_to_do():
    program = "import torch, gradwire\ngradwire.attach(torch.nn.Linear(4, 4))"
    done = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True)
    assert done.returncode == 1 and "init_process_group" in done.stderr, done.stderr


def test_another_torch_is_refused_with_a_sentence():
    program = "import torch; torch.__version__ = '2.9.0'\nimport gradwire"
    done = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True)
    assert done.returncode == 1 and "compiled for torch" in done.stderr and "2.9.0" in done.stderr, done.stderr


def test_the_module_needs_torch_and_the_runtime_alone():
    module = next((ranks.BUILD / "python/gradwire").glob("_C*.so"))
    needed = subprocess.run(["readelf", "-d", module], capture_output=True, text=True, check=True).stdout
    libraries = set(re.findall(r"\(NEEDED\).*\[(.*?)\.so", needed))
    assert libraries <= {"libtorch", "libtorch_cpu", "libtorch_python", "libc10", "libstdc++", "libm", "libgcc_s", "libc", "ld-linux-x86-64"}, libraries


def test_the_package_lists_what_there_is():
    done = subprocess.run([sys.executable, "-m", "gradwire"], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0 and "torch" in done.stdout, done.stderr
    for word in ("ef21", "topk:K", "start_iter=2", "instruction set", "GRADWIRE_METHOD", "GRADWIRE_CONFIG", "GRADWIRE_BUILD_DIR"):
        assert word in done.stdout
    assert "marina " not in done.stdout and "vr_diana" not in done.stdout and "ssdm" in done.stdout
