"""What pytest loads wherever Seeknal is installed.

`pytest --env dev` tests the data of an environment: the fixture `seeknal_query` answers queries of
the project in the current folder there. It makes the asserts of Seeknal's own suites tell values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

pytest.register_assert_rewrite("seeknal.testing")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    """Add the option behind those of the project's own conftest, which may have one by this name:
    then that one counts."""
    result = yield
    with suppress(ValueError):
        parser.addoption(
            "--env", default="prod", metavar="NAME", help="the environment that is tested (Seeknal)"
        )
    return result


@pytest.fixture(scope="session")
def seeknal_query(
    request: pytest.FixtureRequest,
) -> Iterator[Callable[[str], list[tuple[Any, ...]]]]:
    """From SQL, in which nodes' names are tables, to rows, in the environment of `--env`."""
    from seeknal.workflow.open_project import OpenProject
    from seeknal.workflow.reading import tables_of

    with OpenProject() as project:
        tables = tables_of(project, request.config.getoption("--env"))
        yield lambda sql: list(project.engine.query(sql, tables).rows)
