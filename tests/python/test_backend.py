# SPDX-License-Identifier: Apache-2.0
"""init_process_group("gradwire") under torchrun. The laws are those of backend_laws.py and collective_laws.py."""
import subprocess
import sys

import pytest
import torch
from torchrun import HERE, NEEDS_GPU, check, environment, laws_of, read_results, torchrun

SETTINGS = {"GRADWIRE_COMPRESSOR": "topk:5%", "GRADWIRE_START_ITER": "0"}
SCRIPT = """
import torch, torch.distributed as dist
dist.init_process_group({backend!r})
ddp = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(64, 64))
for _ in range(4):
    ddp.zero_grad()
    ddp(torch.randn(8, 64)).square().mean().backward()
x = torch.full((5000,), float(dist.get_rank() + 1))
dist.all_reduce(x)
assert x.unique().tolist() == [3.0]
import gradwire
print(gradwire.handle_of(ddp).name, flush=True)
dist.destroy_process_group()
"""


JOBS = [
    pytest.param((2, {}), id="2ranks"),
    pytest.param((3, {}), id="3ranks"),
    pytest.param((2, {"TORCH_DISTRIBUTED_DEBUG": "DETAIL"}), id="2ranks-debug-detail"),
    pytest.param((2, {"LAWS_DEVICE": "cuda"}), id="2ranks-gpu", marks=NEEDS_GPU),
]


@pytest.fixture(scope="module", params=JOBS)
def failures(request, tmp_path_factory):
    size, settings = request.param
    folder = tmp_path_factory.mktemp("laws")
    done = torchrun(size, HERE / "backend_laws.py", folder, **settings, **SETTINGS)
    assert done.returncode == 0, done.stdout + done.stderr
    return read_results(folder, size)


@pytest.mark.parametrize("law", laws_of("backend_laws.py", "collective_laws.py"))
def test_law(failures, law):
    check(failures, law)


def run_script(tmp_path, backend="gradwire", prefix="", **settings):
    script = tmp_path / "script.py"
    script.write_text(prefix + SCRIPT.format(backend=backend))
    return torchrun(2, script, **settings)


@pytest.mark.skipif(tuple(map(int, torch.__version__.split(".")[:2])) < (2, 14),
                    reason="torch looks backends up by entry point from 2.14 on; before, a script has to import gradwire, as the others here do")
def test_a_script_that_never_imports_gradwire_gets_it_by_the_name(tmp_path):
    done = run_script(tmp_path, **SETTINGS)
    assert done.returncode == 0 and done.stdout.count("gradwire: ef, topk:5%") == 2, done.stdout + done.stderr


def test_the_name_may_stand_for_each_device(tmp_path):
    done = run_script(tmp_path, "cpu:gradwire,cuda:gradwire", prefix="import gradwire\n", **SETTINGS)
    assert done.returncode == 0 and done.stdout.count("topk:5%") == 2, done.stdout + done.stderr


def test_a_yaml_file_has_the_trainers_comm_section(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("optimizer:\n  lr: 0.1\ncomm:\n  method: ef21\n  compressor: topk:2%\n  bucket_cap_mb: 5\n")
    done = run_script(tmp_path, prefix="import gradwire\n", GRADWIRE_CONFIG=str(file))
    assert done.returncode == 0 and done.stdout.count("gradwire: ef21, topk:2%") == 2, done.stdout + done.stderr


@pytest.mark.parametrize("settings, words", [
    ({"GRADWIRE_COMPRESOR": "sign"}, ["GRADWIRE_COMPRESOR is no setting", "GRADWIRE_COMPRESSOR"]),
    ({"GRADWIRE_COMPRESSOR": "topp:1%"}, ["comm.compressor", "topp"]),
    ({"GRADWIRE_START_ITER": "soon"}, ["environment: GRADWIRE_START_ITER", "integer"]),
    ({"GRADWIRE_METHOD": "ef", "GRADWIRE_COMPRESSOR": "qsgd:7"}, ["does not contract"]),
    ({"GRADWIRE_CONFIG": "/no/such.yaml"}, ["GRADWIRE_CONFIG", "/no/such.yaml"]),
    ({"GRADWIRE_CONFIG": "bad.yaml"}, ["bad.yaml:2", "comm.topology", "'ring'", "sharded"]),
])  # fmt: skip
def test_mistakes_in_the_environment_stop_the_job_at_its_start(tmp_path, settings, words):
    (tmp_path / "bad.yaml").write_text("comm:\n  topology: ring\n")
    if settings.get("GRADWIRE_CONFIG") == "bad.yaml":
        settings = {"GRADWIRE_CONFIG": str(tmp_path / "bad.yaml")}
    program = "import gradwire, torch.distributed as dist\ndist.init_process_group('gradwire', store=dist.HashStore(), rank=0, world_size=1)"
    done = subprocess.run([sys.executable, "-c", program], env=environment(**settings), capture_output=True, text=True)
    assert done.returncode == 1 and all(word in done.stderr for word in words), done.stderr
