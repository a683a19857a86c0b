# SPDX-License-Identifier: Apache-2.0
"""pip builds and installs the Python package against the torch that is there."""
import os
import re
import shutil
import subprocess
import sys

import pytest
import ranks
import torch

# Beside the build folder and with its compiler, so that ccache has most of it already.
BUILD = ranks.BUILD.with_name(ranks.BUILD.name + "-wheel-test")
COMPILER = re.search(r"^CMAKE_CXX_COMPILER:[A-Z]+=(.*)$", (ranks.BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)[1]


def run(*words, folder=None):
    env = dict(os.environ, PYTHONPATH=str(folder or ""), CXX=COMPILER)
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=env, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installed")
    shutil.rmtree(BUILD, ignore_errors=True)
    run(sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--target", folder,
        f"--config-settings=build-dir={BUILD}", ranks.SOURCE)
    yield folder
    shutil.rmtree(BUILD)


def test_the_installed_package_works(installed):
    told = run(sys.executable, "-c", "import gradwire as g; print(g.__file__, g.__version__)", folder=installed)
    place, version = told.split()
    assert place.startswith(str(installed))
    assert version in run(sys.executable, "-m", "gradwire", folder=installed)


def test_the_wheel_holds_the_package_alone(installed):
    sources = {f.name for f in (ranks.SOURCE / "hooks/python/gradwire").iterdir() if f.suffix in (".py", ".typed")}
    files = {f.name for f in (installed / "gradwire").iterdir() if f.name != "__pycache__"}
    module = {name for name in files if name.startswith("_C.") and name.endswith(".so")}
    assert len(module) == 1 and files == sources | module | {"_build.py"}
    assert {f.name.split("-")[0] for f in installed.iterdir()} == {"gradwire"}


def test_its_metadata_ties_it_to_the_minor_version_of_torch(installed):
    (info,) = installed.glob("gradwire-*.dist-info")
    needs = [line for line in (info / "METADATA").read_text().splitlines() if line.startswith("Requires-")]
    minor = ".".join(torch.__version__.split(".")[:2])
    assert needs == ["Requires-Python: >=3.10", f"Requires-Dist: torch=={minor}.*"]
    assert "gradwire = gradwire._backend:register" in (info / "entry_points.txt").read_text()
