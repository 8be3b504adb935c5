"""`seeknal query`."""

from __future__ import annotations

import sys
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seeknal.cli.options import EnvironmentName, ProjectPath
from seeknal.errors import RequestError

if TYPE_CHECKING:
    from seeknal.workflow.engine import Rows

SHOWN_ROWS = 100


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def query(
    sql: Annotated[str, typer.Argument(help="A query; node names are the tables.")],
    project: ProjectPath = Path(),
    env: EnvironmentName = "prod",
    format: Annotated[Format, typer.Option(help="How to print the answer.")] = Format.table,
) -> None:
    """Query the nodes' data by their names.

    As in "SELECT * FROM transform.daily_revenue". A name without its kind will do where only one
    node has it. A table on the screen ends after 100 rows; csv, json and parquet are whole.
    """
    if format is Format.parquet and sys.stdout.isatty():
        raise RequestError("Parquet is not for the screen: write it to a file with > out.parquet")
    import shutil
    import tempfile

    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.reading import tables_of

    with OpenProject(project) as opened:
        tables = tables_of(opened, env)
        if format is Format.table:
            _show(opened.engine.query(sql, tables))
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"answer.{format.value}"
            opened.engine.export(sql, tables, path, format.value)
            with path.open("rb") as answer:
                shutil.copyfileobj(answer, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _show(answer: Rows) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, kind in zip(answer.columns, answer.types, strict=True):
        table.add_column(Text(name), justify="right" if _is_number(kind) else "left")
    shown = list(islice(answer.rows, SHOWN_ROWS))
    for row in shown:
        table.add_row(*(Text("NULL", "dim") if v is None else Text(str(v)) for v in row))
    console = Console()
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)
    if len(shown) == SHOWN_ROWS and next(answer.rows, None) is not None:
        typer.echo(f"The first {SHOWN_ROWS} rows; --format csv prints all.", err=True)


def _is_number(kind: str) -> bool:
    return kind.startswith(("DECIMAL", "DOUBLE", "FLOAT", "HUGEINT", "NUMBER")) or "INT" in kind
