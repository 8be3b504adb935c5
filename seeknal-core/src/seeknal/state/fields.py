"""The types that fields of records have: what is taken, how it is kept, and how JSON holds it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from seeknal.state.intervals import Part, moment


class Kind(NamedTuple):
    """label: for messages. keep: check a value and bring it into the form in which it is kept."""

    label: str
    keep: Callable[[Any], Any]
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    optional: bool = False


def text(value: Any) -> str:
    if value.__class__ is str and value.isascii() and "\0" not in value:
        return value
    if not isinstance(value, str):
        raise TypeError
    if not value.isascii():
        value = str(value).encode("utf-8", "replace").decode()
    return str(value).replace("\0", "\ufffd")


def _whole(value: Any) -> int:
    if value.__class__ is int and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, bool) or not -(2**63) <= value < 2**63 or int(value) != value:
        raise ValueError
    return int(value)


def _number(value: Any) -> float:
    if isinstance(value, str) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _time(value: Any) -> datetime:
    if value.__class__ is datetime and value.tzinfo is UTC:
        return value
    if not isinstance(value, datetime):
        raise TypeError
    return moment(value)


_day = lru_cache(date.isoformat)
_TWO = [f"{number:02}" for number in range(60)]
_THREE = [f"{number:03}" for number in range(1000)]


def time_text(value: datetime) -> str:
    """As `isoformat` writes it. That takes twice the time, which counts when thousands are stored:
    it asks for the zone of each, and formats each number anew."""
    if value.tzinfo is not UTC:
        return value.isoformat()
    us = value.microsecond
    fraction = f".{_THREE[us // 1000]}{_THREE[us % 1000]}" if us else ""
    clock = f"{_TWO[value.hour]}:{_TWO[value.minute]}:{_TWO[value.second]}"
    return f"{_day(value.date())}T{clock}{fraction}+00:00"


def _parts(value: Any) -> tuple[Part, ...]:
    return tuple(Part(_time(start), _time(end), text(name)) for start, end, name in value)


def part_texts(parts: Iterable[Part]) -> list[list[str]]:
    """Parts as JSON can hold them."""
    return [[time_text(start), time_text(end), name] for start, end, name in parts]


def parts_of_texts(texts: Iterable[Sequence[str]]) -> tuple[Part, ...]:
    """From what `part_texts` has made."""
    time_of = datetime.fromisoformat
    return tuple(Part(time_of(start), time_of(end), name) for start, end, name in texts)


_KINDS = {
    "str": Kind("text", text),
    "int": Kind("a whole number of at most 64 bits", _whole),
    "float": Kind("a finite number", _number),
    "datetime": Kind("a datetime", _time, time_text, datetime.fromisoformat),
    "Mapping[str, str]": Kind(
        "a mapping of text to text",
        lambda value: {text(k): text(v) for k, v in value.items()},
        dict,
        dict,
    ),
    "Mapping[str, int]": Kind(
        "a mapping of text to whole numbers",
        lambda value: {text(k): _whole(v) for k, v in value.items()},
        dict,
        dict,
    ),
    "tuple[Part, ...]": Kind(
        "parts",
        _parts,
        part_texts,
        parts_of_texts,
    ),
}


def kind_of(annotation: str) -> Kind:
    """By the text of a field's annotation."""
    optional = annotation.endswith(" | None")
    return _KINDS[annotation.removesuffix(" | None")]._replace(optional=optional)
