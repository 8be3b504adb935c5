"""What all conformance suites have in common."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest


class Suite:
    """A class of tests to inherit. What a plugin can't do is said by a class attribute, a
    capability, and not by overriding a test: that takes `@pytest.mark.xfail(reason=...)`.
    """

    capabilities: ClassVar[dict[str, str]] = {}
    """Name of a class attribute -> what it means when it is true, which it is by default."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        inherited = {n for base in cls.__mro__[1:] for n in vars(base) if n.startswith("test_")}
        for name in sorted(inherited & set(vars(cls))):
            marks = getattr(vars(cls)[name], "pytestmark", [])
            if not any(mark.name == "xfail" and mark.kwargs.get("reason") for mark in marks):
                raise TypeError(
                    f"{cls.__name__} overrides {name}, a test of the suite. Set a capability "
                    f"({', '.join(cls.capabilities)}) to False, or mark the override with "
                    "@pytest.mark.xfail(reason=...)."
                )

    def need(self, capability: str) -> None:
        """Skip the test where the plugin says that it can't do this."""
        if not getattr(self, capability):
            pytest.skip(f"{type(self).__name__}.{capability} is False")
