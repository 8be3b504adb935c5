"""Prints what tests want people to see, from whichever process they ran in."""

from __future__ import annotations

import pytest
from tests.databases import postgresql  # noqa: F401  a fixture

SHOWN = "shown"
"""The name of a property that a test records for people: `record_property(SHOWN, text)`."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == SHOWN and report.when == "call":
                    terminalreporter.section(report.nodeid)
                    terminalreporter.write_line(text.strip())
