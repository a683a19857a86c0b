# SPDX-License-Identifier: Apache-2.0
"""The file that GRADWIRE_CONFIG names."""

from __future__ import annotations

import os
import warnings
from typing import Any, Iterator

from gradwire import _C

_LARGEST = 1 << 20  # bytes; configs/ has files of 1 to 3 kB
_MERGE = "tag:yaml.org,2002:merge"


def settings_of(path: str) -> dict[str, str]:
    """The `comm:` section of a YAML file, a trainer's configuration perhaps. Raises ConfigError with file and line.

    Of the other sections it says nothing: the file may be of a job that has settings of its own.
    """
    document = _read(path)
    sections = dict(_entries(document, path, "")) if _is_map(document) else {}
    if "comm" not in sections:
        near = next((f"; {_line(path, key)} has {name!r}" for name, (key, _) in sections.items() if _C.nearest(name, ["comm"])), "")
        raise _C.ConfigError(f"environment: GRADWIRE_CONFIG: {path}: expected a section comm with its keys indented below it{near}")
    key, comm = sections["comm"]
    if not _is_map(comm):
        raise _C.ConfigError(f"{_line(path, key)}: section comm: expected its keys indented below it")
    found = {}
    for name, (key, value) in _entries(comm, path, "comm."):
        if not isinstance(value.value, str):
            raise _C.ConfigError(f"{_line(path, key)}: comm.{name}: found a map or a list, expected one value")
        _C.check_key(name, value.value, _line(path, key))
        if name == "bucket_cap_mb":
            warnings.warn(f"gradwire: {_line(path, key)}: comm.bucket_cap_mb is not used: the buckets are those of DistributedDataParallel(bucket_cap_mb=...)", stacklevel=2)
        else:
            found[name] = value.value
    return found


def _read(path: str) -> Any:
    """The document's node; None where the file is empty."""
    try:
        import yaml
    except ImportError as error:
        raise _C.ConfigError("environment: GRADWIRE_CONFIG needs PyYAML to read a file: pip install pyyaml") from error
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise OSError("it is a folder, or no ordinary file")
        with open(path, "rb") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise OSError(f"it has more than {_LARGEST} bytes")
        return yaml.compose(text.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except RecursionError:
        reason = "its maps and lists are nested too deep"
    except UnicodeDecodeError as error:
        reason = f"byte {error.start} is no UTF-8 text"
    except (OSError, yaml.YAMLError) as error:
        reason = error
    raise _C.ConfigError(f"environment: GRADWIRE_CONFIG: {path}: {reason}; expected a YAML file with a section comm")


def _is_map(node: Any) -> bool:
    return node is not None and node.tag == "tag:yaml.org,2002:map"


def _entries(node: Any, path: str, prefix: str) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Name, and nodes of key and value, of a map; refuses a name that is there twice, and merge keys."""
    lines: dict[str, str] = {}
    for key, value in node.value:
        place = _line(path, key)
        if not isinstance(key.value, str):
            raise _C.ConfigError(f"{place}: found a map or a list as the name of a key, expected a word")
        if key.tag == _MERGE:
            raise _C.ConfigError(f"{place}: merge keys (<<) are not read: expected the keys themselves")
        if key.value in lines:
            raise _C.ConfigError(f"{place}: {prefix}{key.value} is given twice, first at {lines[key.value]}: expected once; delete one of them")
        lines[key.value] = place
        yield key.value, (key, value)


def _line(path: str, node: Any) -> str:
    return f"{os.fspath(path)}:{node.start_mark.line + 1}"
