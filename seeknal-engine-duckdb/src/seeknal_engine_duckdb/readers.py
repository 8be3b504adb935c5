"""How DuckDB reads the files of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seeknal.dag.manifest import Node
from seeknal.errors import Flaw, did_you_mean

_FUNCTIONS = {
    "csv": "read_csv",
    "json": "read_json",
    "jsonl": "read_json",
    "parquet": "read_parquet",
}

_CSV_PARAMS = {
    "delimiter": "delim", "delim": "delim", "sep": "delim", "header": "header", "quote": "quote",
    "escape": "escape", "comment": "comment", "skip": "skip", "encoding": "encoding",
    "compression": "compression", "nullstr": "nullstr", "null_values": "nullstr",
    "na_values": "nullstr", "date_format": "dateformat", "dateformat": "dateformat",
    "timestamp_format": "timestampformat", "timestampformat": "timestampformat",
    "decimal_separator": "decimal_separator", "sample_size": "sample_size",
    "all_varchar": "all_varchar", "ignore_errors": "ignore_errors", "null_padding": "null_padding",
    "strict_mode": "strict_mode", "union_by_name": "union_by_name", "filename": "filename",
    "hive_partitioning": "hive_partitioning", "names": "names",
}  # fmt: skip
_JSON_PARAMS = {
    "compression": "compression", "date_format": "dateformat", "dateformat": "dateformat",
    "timestamp_format": "timestampformat", "timestampformat": "timestampformat",
    "maximum_object_size": "maximum_object_size", "maximum_depth": "maximum_depth",
    "sample_size": "sample_size", "ignore_errors": "ignore_errors",
    "union_by_name": "union_by_name", "filename": "filename",
    "hive_partitioning": "hive_partitioning",
}  # fmt: skip
_PARQUET_PARAMS = {
    "union_by_name": "union_by_name", "filename": "filename",
    "hive_partitioning": "hive_partitioning", "binary_as_string": "binary_as_string",
}  # fmt: skip

PARAMS: Mapping[str, Mapping[str, str]] = {
    "csv": _CSV_PARAMS,
    "json": _JSON_PARAMS,
    "jsonl": _JSON_PARAMS,
    "parquet": _PARQUET_PARAMS,
}
"""What may stand in a source's `params`, by format: the name there, and DuckDB's own."""

_TYPES = {
    "string": "VARCHAR", "str": "VARCHAR", "object": "VARCHAR", "int": "BIGINT",
    "integer": "BIGINT", "int64": "BIGINT", "long": "BIGINT", "int32": "INTEGER",
    "float": "DOUBLE", "float64": "DOUBLE", "float32": "FLOAT", "number": "DOUBLE",
    "bool": "BOOLEAN", "datetime": "TIMESTAMP", "datetime64": "TIMESTAMP",
}  # fmt: skip


def flaws(node: Node) -> list[Flaw]:
    """What is wrong in a source's format and params."""
    format_ = node.config["source"]
    known = PARAMS.get(format_)
    if known is None:
        near = did_you_mean(format_, PARAMS)
        message = f"there is no source format '{format_}': {', '.join(PARAMS)}.{near}"
        return [Flaw(message, key=("source",))]
    return [
        Flaw(f"a {format_} source has no param '{p}'.{did_you_mean(p, known)}", key=("params", p))
        for p in node.config["params"]
        if p not in known
    ]


def select(node: Node, files: Sequence[Path]) -> str:
    """A SELECT of all that a source's files hold."""
    format_ = node.config["source"]
    options = {PARAMS[format_][p]: v for p, v in node.config["params"].items()}
    options.setdefault("union_by_name", len(files) > 1)
    given = types(node)
    casts = ""
    if format_ == "csv" and given and not options.get("all_varchar"):
        options["types"] = given
    elif given:
        replaced = ", ".join(
            f"CAST({identifier(n)} AS {t}) AS {identifier(n)}" for n, t in given.items()
        )
        casts = f" REPLACE ({replaced})"
    if format_ in ("json", "jsonl"):
        options["format"] = "newline_delimited" if format_ == "jsonl" else "auto"
    arguments = ", ".join(
        [literal([str(f) for f in files])] + [f"{k} = {literal(v)}" for k, v in options.items()]
    )
    return f"SELECT *{casts} FROM {_FUNCTIONS[format_]}({arguments})"


def types(node: Node) -> dict[str, str]:
    """The types that a source's columns are given, as DuckDB names them."""
    return {name: _type(c.dtype) for name, c in node.columns.items() if c.dtype}


def _type(dtype: str) -> str:
    return _TYPES.get(dtype.lower(), dtype)


def identifier(name: str) -> str:
    """A name as SQL has it, quoted."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value as DuckDB writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(str(k))}: {literal(v)}" for k, v in value.items()) + "}"
    return "'" + str(value).replace("'", "''") + "'"
