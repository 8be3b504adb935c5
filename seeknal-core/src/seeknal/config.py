"""The settings of a project: `seeknal_project.yml`, validated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from seeknal.errors import Problem, ProjectError, RequestError, did_you_mean
from seeknal.names import NAME, NAME_RULE, PROJECT_FILE
from seeknal.yaml_text import YamlError, explain, line_of, load_mapping


class Choice(BaseModel):
    """A provider by name, and its options. others: options of those that were not chosen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    options: dict[str, Any] = {}
    others: dict[str, dict[str, Any]] = {}

    def instead(self, name: str) -> Choice:
        """Another provider, with the options that stand beside those of this one."""
        return self if name == self.name else Choice(name=name, options=self.others.get(name, {}))


def _as_choice(value: Any) -> Any:
    """Written as a name, or as a mapping of `name` and, under each provider's name, its options."""
    if isinstance(value, Choice):
        return value
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError("give a name, or a mapping with `name:`")
    for key, options in value.items():
        if key != "name" and not isinstance(options, dict):
            raise ValueError(f"options of '{key}' go in a mapping under its name")
    others = {key: options for key, options in value.items() if key != "name"}
    return {
        "name": value["name"],
        "options": others.pop(value["name"], {}),
        "others": others,
    }


Written = Annotated[Choice, BeforeValidator(_as_choice)]


class PluginSettings(BaseModel):
    """disable: names of plugins, or of distributions, that must not be loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    disable: list[str] = []


class Retention(BaseModel):
    """What is remembered of runs that are over: the newest `runs`, and those of the last `days`;
    None for no such limit. revisions: of each environment, as many moves of its pointers can be
    taken back. Intervals and environments stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs: Annotated[int, Field(ge=1)] | None = 200
    days: Annotated[float, Field(gt=0)] | None = None
    revisions: Annotated[int, Field(ge=1)] = 10


def check_timezone(value: str) -> str:
    """Return the name of a timezone. Raises ValueError when there is none by that name."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        near = did_you_mean(value, available_timezones())
        raise ValueError(f"there is no timezone {value!r}.{near}") from None
    return value


class Settings(BaseModel):
    """What a project's `seeknal_project.yml` says.

    storage: a folder relative to the project, or an fsspec URL. classifiers: asked in this order;
    by default those of "sqlglot" and "text" that are installed. impact: how far a change of a node
    reaches: along the columns that are read, or to all that is made from the node. params: what
    templates see as `params`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    version: str = "0"
    timezone: str = "UTC"
    storage: str = "target"
    state: Written = Choice(name="file")
    retention: Retention = Retention()
    scheduler: Written = Choice(name="cron")
    engine: Written = Choice(name="duckdb")
    executor: Written = Choice(name="local")
    classifiers: list[str] | None = None
    impact: Literal["column", "node"] = "column"
    plugins: PluginSettings = PluginSettings()
    params: dict[str, Any] = {}
    profile: str | None = Field(None, description="understood, and without effect")
    config_version: int | None = Field(
        None, alias="config-version", description="understood, and without effect"
    )

    @model_validator(mode="before")
    @classmethod
    def _state_backend(cls, value: Any) -> Any:
        """`state_backend: file` means `state: file`."""
        if isinstance(value, dict) and "state_backend" in value:
            if "state" in value:
                raise ValueError("`state` and `state_backend` say the same: keep one")
            value = {**value, "state": value["state_backend"]}
            del value["state_backend"]
        return value

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(f"{value!r} can't name a project: use {NAME_RULE}")
        return value

    @field_validator("version", mode="before")
    @classmethod
    def _version(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        return check_timezone(value)


def find_root(path: str | Path) -> Path:
    """The folder of a project: `path`, which must hold its settings. Raises RequestError."""
    root = Path(path).resolve()
    if root.is_file() and root.name == PROJECT_FILE:
        root = root.parent
    if not (root / PROJECT_FILE).is_file():
        raise RequestError(
            f"{path} is no Seeknal project: it has no {PROJECT_FILE}. Go into a project, name one "
            "with -p PATH, or make one with `seeknal init NAME`."
        )
    return root


def load_settings(root: Path) -> Settings:
    """Read and validate a project's settings. Raises ProjectError with all that is wrong."""
    try:
        text = (root / PROJECT_FILE).read_text(encoding="utf-8-sig")
        return Settings.model_validate(load_mapping(text))
    except UnicodeDecodeError:
        raise ProjectError([Problem("is not UTF-8 text", PROJECT_FILE)]) from None
    except YamlError as error:
        raise ProjectError([Problem(str(error), PROJECT_FILE, error.line)]) from None
    except ValidationError as error:
        known = [*Settings.model_fields, "state_backend", "config-version"]
        raise ProjectError(
            [
                Problem(flaw.message, PROJECT_FILE, line_of(text, flaw.key))
                for flaw in explain(error, known)
            ]
        ) from None
