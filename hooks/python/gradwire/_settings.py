# SPDX-License-Identifier: Apache-2.0
"""Keyword arguments as settings of the `comm:` section, which configs/README.md describes."""

from __future__ import annotations

import os

from gradwire import _C

Settings = list[tuple[str, str]]


def as_text(value: object) -> str:
    """A value as YAML would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def from_keywords(keywords: dict[str, object], place: str) -> Settings:
    """Checked settings; None is the default. Raises ConfigError (a ValueError) that begins with `place`."""
    settings = [(key, as_text(value)) for key, value in keywords.items() if value is not None]
    if any(key == "bucket_cap_mb" for key, _ in settings):
        raise _C.ConfigError(f"{place}: bucket_cap_mb: the buckets are DDP's; expected it as an argument of DistributedDataParallel")
    _C.check(settings, place)
    return settings


def from_file(path: str) -> dict[str, str]:
    """The `comm:` section of a YAML file, a trainer's configuration perhaps. Raises ConfigError with file and line."""
    try:
        import yaml
    except ImportError as error:
        raise _C.ConfigError("environment: GRADWIRE_CONFIG needs PyYAML to read a file: pip install pyyaml") from error
    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.compose(file, Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError) as error:
        raise _C.ConfigError(f"environment: GRADWIRE_CONFIG: {path}: {error}; expected a YAML file with a section comm") from error
    sections = document.value if isinstance(document, yaml.MappingNode) else []
    comm = next((value for key, value in sections if key.value == "comm"), None)
    if not isinstance(comm, yaml.MappingNode):
        raise _C.ConfigError(f"environment: GRADWIRE_CONFIG: {path}: expected a section comm with its keys indented below it")
    found = {}
    for key, value in comm.value:
        place = f"{os.fspath(path)}:{key.start_mark.line + 1}"
        if not isinstance(value, yaml.ScalarNode):
            raise _C.ConfigError(f"{place}: comm.{key.value}: found a map or a list, expected one value")
        _C.check_key(key.value, value.value, place)
        if key.value != "bucket_cap_mb":
            found[key.value] = value.value
    return found
