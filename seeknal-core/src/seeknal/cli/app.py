"""The command `seeknal`: its own commands, and those that plugins bring."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from pathlib import Path
from traceback import walk_tb
from typing import Annotated, Any

import typer

from seeknal import __version__
from seeknal.cli.quick import QuickCommand, QuickGroup
from seeknal.errors import RequestError, SeeknalError, did_you_mean
from seeknal.plugins import Plugins

OWN = {
    "init": "seeknal.cli.starting:init",
    "run": "seeknal.cli.running:run",
    "backfill": "seeknal.cli.running:backfill",
    "intervals": "seeknal.cli.intervals:app",
    "plan": "seeknal.cli.planning:plan",
    "env": "seeknal.cli.environments:app",
    "parse": "seeknal.cli.inspecting:parse",
    "list": "seeknal.cli.inspecting:list_nodes",
    "diff": "seeknal.cli.comparing:diff",
    "lineage": "seeknal.cli.lineage:lineage",
    "query": "seeknal.cli.querying:query",
    "migrate-state": "seeknal.cli.migrating:migrate_state",
    "plugins": "seeknal.cli.plugins:app",
}
"""Commands of the core: where each one's function or group is, to be imported when it is called."""

DEBUG = "--debug"


class SeeknalGroup(QuickGroup):
    """Finds plugins' commands by their metadata, and turns errors into one message each."""

    _found: Plugins | None = None

    @property
    def _plugins(self) -> Plugins:
        if self._found is None:
            self._found = Plugins.of_project(Path())
        return self._found

    def list_commands(self, ctx: Any) -> list[str]:
        return [*OWN, *(name for name in self._plugins.commands() if name not in OWN)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in OWN:
            module, _, name = OWN[cmd_name].partition(":")
            found = getattr(import_module(module), name)
            if isinstance(found, typer.Typer):
                return _command(cmd_name, found)
            own = typer.Typer(add_completion=False, rich_markup_mode=None)
            own.command(cmd_name, cls=QuickCommand)(found)
            return typer.main.get_command(own)
        if cmd_name not in self._plugins.commands():
            known = self.list_commands(ctx)
            raise RequestError(
                f"There is no command '{cmd_name}'.{did_you_mean(cmd_name, known)} "
                f"Commands: {', '.join(known)}."
            )
        try:
            return _command(cmd_name, self._plugins.command(cmd_name))
        except SeeknalError as error:
            return _broken_command(cmd_name, error)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """`--debug` is understood in any place."""
        if DEBUG in args:
            os.environ["SEEKNAL_DEBUG"] = "1"
            args = [arg for arg in args if arg != DEBUG]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115
            raise typer.Exit(1) from None
        except SeeknalError as error:
            _raise_under_debug(error)
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            _raise_under_debug(error)
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from None
        except Exception as error:
            _raise_under_debug(error)
            fault = f"{self._whose(error)}: {type(error).__name__}: {error}"
            typer.echo(
                f"Error: this is a fault in {fault}\n"
                f"Run the command again with {DEBUG} to see where, and please report it.",
                err=True,
            )
            raise typer.Exit(1) from None

    def _whose(self, error: Exception) -> str:
        """In whose code it happened, or in what that has called: ours, or that of a plugin. Of an
        object that lacks something, whose that is."""
        owners = self._plugins.owners()
        lacking = type(getattr(error, "obj", None)).__module__.partition(".")[0]
        if lacking in owners:
            return owners[lacking]
        packages = [
            str(frame.f_globals.get("__name__", "")).partition(".")[0]
            for frame, _ in walk_tb(error.__traceback__)
        ]
        known = (package for package in reversed(packages) if package in {*owners, "seeknal"})
        return owners.get(next(known, ""), "Seeknal")


def _raise_under_debug(error: Exception) -> None:
    """Under --debug let the traceback come."""
    if os.environ.get("SEEKNAL_DEBUG"):
        raise error


def _command(name: str, app: typer.Typer) -> Any:
    """A plugin's Typer app, as the command of this name."""
    command = typer.main.get_command(app)
    command.name = name
    if not command.help and isinstance(app.info.help, str):
        command.help = app.info.help
    return command


def _broken_command(name: str, error: SeeknalError) -> Any:
    app = typer.Typer(add_completion=False)
    settings = {"ignore_unknown_options": True, "allow_extra_args": True}

    @app.command(name, help=f"(can't be used) {error}", context_settings=settings)
    def broken(ctx: typer.Context) -> None:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1)

    return typer.main.get_command(app)


app = typer.Typer(
    cls=SeeknalGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Run folders of SQL and Python nodes. Every part can be swapped: see `seeknal plugins`.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"seeknal {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option(DEBUG, help="Show tracebacks of errors.")] = False,
) -> None:
    pass


def main() -> None:
    gc.set_threshold(100_000)  # thousands of nodes are no garbage, and looking takes its time
    app()
