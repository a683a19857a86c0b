# SPDX-License-Identifier: Apache-2.0
"""Keyword arguments as settings of the `comm:` section, which configs/README.md describes."""

from __future__ import annotations

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
