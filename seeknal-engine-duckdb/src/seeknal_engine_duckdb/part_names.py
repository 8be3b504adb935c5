"""How parts of incremental nodes are named."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from seeknal.errors import BuildError
from seeknal.state.intervals import Interval

_NAME = re.compile(r"(.+/)(\d{8}T[\d.]+)_(\d{8}T[\d.]+)_([0-9a-f]{8})_[0-9a-f]+")

Types = Mapping[str, str]
"""Of the columns of a file, as DuckDB names them."""


class Named(NamedTuple):
    """What the name of a part tells. interval: that it was computed for. shape: the same for parts
    of one snapshot that have the same columns."""

    interval: Interval
    shape: str


def part_name(snapshot: str, interval: Interval, types: Types, digest: str) -> str:
    """Of a part of a snapshot. digest: of the file."""
    start, end = (_compact(moment) for moment in interval)
    shape = sha256(json.dumps(list(types.items())).encode()).hexdigest()[:8]
    return f"{snapshot}/{start}_{end}_{shape}_{digest}"


def is_part_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


@lru_cache(maxsize=200_000)
def named(name: str) -> Named:
    found = _NAME.fullmatch(name)
    if found is None:
        raise BuildError(f"{name!r} is no name of a part")
    return Named(Interval(_read(found[2]), _read(found[3])), found[1] + found[4])


def _compact(moment: datetime) -> str:
    text = f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}"
    return f"{text}.{moment.microsecond:06}" if moment.microsecond else text


def _read(text: str) -> datetime:
    form = "%Y%m%dT%H%M%S.%f" if "." in text else "%Y%m%dT%H%M%S"
    return datetime.strptime(text, form).replace(tzinfo=UTC)
