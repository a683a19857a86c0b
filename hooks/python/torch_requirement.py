# SPDX-License-Identifier: Apache-2.0
"""pyproject.toml's dependencies: the minor version of the torch that the module is compiled for. Its classes differ in
the next one, so that a wheel fits one minor version only."""

import importlib.util
import os
import pathlib
import re


def dynamic_metadata(field: str, settings: dict) -> list[str]:
    """The value of `project.dependencies`. Raises RuntimeError where there is no torch to compile for."""
    if field != "dependencies" or settings:
        raise RuntimeError(f"torch_requirement gives dependencies, without settings; found {field}, {settings}")
    major, minor = re.search(r"__version__ = .(\d+)\.(\d+)", _version_file().read_text()).groups()
    return [f"torch=={major}.{minor}.*"]


def _version_file() -> pathlib.Path:
    """Of the torch that CMake takes: the one of TORCH_DIR, or of this Python. Importing it would take seconds."""
    spec = importlib.util.find_spec("torch")
    found = os.environ.get("TORCH_DIR") or (spec and spec.origin and os.path.dirname(spec.origin))
    if not found or not (file := pathlib.Path(found, "version.py")).exists():
        raise RuntimeError(
            "no torch in the environment that builds gradwire: install torch >= 2.11 and scikit-build-core there, "
            "and then gradwire with `pip install --no-build-isolation .`"
        )
    return file
