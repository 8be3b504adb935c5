"""What may stand in the definition of a node, in all three forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from seeknal.config import check_timezone
from seeknal.dag.manifest import Column
from seeknal.errors import Flaw, did_you_mean
from seeknal.names import NAME, NAME_RULE
from seeknal.yaml_text import explain

KINDS = ("source", "transform")
MOST_RETRIES = 20
"""Delays double: more would wait for weeks."""


class InvalidDefinitionError(Exception):
    """Everything that is wrong in one definition."""

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__("; ".join(flaw.message for flaw in flaws))
        self.flaws = flaws


class IncrementalSettings(BaseModel):
    """What stands under `incremental:`; see `seeknal.dag.manifest.Incremental`."""

    model_config = ConfigDict(extra="forbid")

    time_column: str
    lookback: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1)] = 1
    batch_concurrency: Annotated[int, Field(ge=1)] | None = None
    allow_partials: bool = False
    depends_on_past: bool = False


def _as_text(value: Any) -> Any:
    """Python nodes may give dates."""
    return value.isoformat() if isinstance(value, date) else value


def _as_json(params: Any) -> Any:
    """Params as JSON holds them: times become texts."""
    if not isinstance(params, Mapping):
        return params
    found = {}
    for name, value in params.items():
        try:
            found[name] = json.loads(json.dumps(value, default=_as_text))
        except (TypeError, ValueError):
            what = type(value).__name__
            raise ValueError(f"'{name}' can't be a {what}: give what JSON has") from None
    return found


def _is_time(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no time: write 2024-01-31, or 2024-01-31T06:00") from None
    return value


When = Annotated[str, BeforeValidator(_as_text), AfterValidator(_is_time)]


class Definition(BaseModel):
    """What all nodes have.

    retries, retry_delay, timeout: see `seeknal.dag.manifest.Attempts`.
    """

    model_config = ConfigDict(extra="forbid")

    kind: str
    name: str
    description: str | None = None
    owner: str | None = None
    tags: list[str] = []
    columns: dict[str, Column] = {}
    params: Annotated[dict[str, Any], BeforeValidator(_as_json)] = {}
    schedule: str | dict[str, str] | None = None
    timezone: Annotated[str, AfterValidator(check_timezone)] | None = None
    start: When | None = None
    end: When | None = None
    incremental: IncrementalSettings | None = None
    depends_on_past: bool = False
    unique_key: list[str] = []
    retries: Annotated[int, Field(ge=0, le=MOST_RETRIES)] = 0
    retry_delay: Annotated[float, Field(ge=0)] = 1
    timeout: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _schema(cls, value: Any) -> Any:
        """`schema: [{name, data_type}]` is an older way to write columns."""
        if not isinstance(value, dict) or "schema" not in value:
            return value
        if "columns" in value:
            raise ValueError("`columns` and `schema` say the same: keep one")
        rest = {key: item for key, item in value.items() if key != "schema"}
        try:
            columns = {
                c["name"]: {"description": c.get("description"), "dtype": c.get("data_type")}
                for c in value["schema"]
            }
        except (TypeError, KeyError, AttributeError):
            raise ValueError("'schema' should be a list of {name, data_type}") from None
        return {**rest, "columns": columns}

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(f"{value!r} can't name a node: use {NAME_RULE}")
        return value

    @field_validator("columns", mode="before")
    @classmethod
    def _columns(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {
            name: {"description": column} if isinstance(column, str) or column is None else column
            for name, column in value.items()
        }

    @field_validator("tags", "unique_key", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Source(Definition):
    """A source: files, or a function that gives the data."""

    source: str | None = None
    table: str | None = None


class Transform(Definition):
    """A transform: SQL, or a function."""

    inputs: list[str] = []
    transform: str | None = None

    @field_validator("inputs", mode="before")
    @classmethod
    def _inputs(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return [
            item["ref"] if isinstance(item, dict) and list(item) == ["ref"] else item
            for item in value
        ]


_MODELS: Mapping[str, type[Source] | type[Transform]] = {"source": Source, "transform": Transform}


def validate(fields: Mapping[str, Any]) -> Source | Transform | None:
    """The definition that a node's fields make, or None for a kind that nothing here supports.

    Raises InvalidDefinitionError with all that is wrong.
    """
    kind = fields.get("kind")
    if not isinstance(kind, str):
        raise InvalidDefinitionError([Flaw(f"`kind:` is missing: {' or '.join(KINDS)}")])
    model = _MODELS.get(kind)
    if model is None:
        near = did_you_mean(kind, KINDS)
        if near:
            raise InvalidDefinitionError([Flaw(f"there is no kind '{kind}'.{near}", key=("kind",))])
        return None
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        known = [*model.model_fields, "schema"]
        raise InvalidDefinitionError(explain(error, known)) from None
