"""Typer, quicker."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class QuickFlags:
    """Spares Typer the import of pydantic, which it does for a flag that has no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        params: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if param.default is None and getattr(param, "is_flag", False):
                param.default = False
        return params


class QuickCommand(QuickFlags, TyperCommand):
    pass


class QuickGroup(QuickFlags, TyperGroup):
    pass
