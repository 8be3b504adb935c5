"""Which versions of the core a plugin was written for, by what its distribution requires."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pluggy

_PLAIN_VERSION = re.compile(r"\d+(\.\d+)*")
_PLAIN_REQUIREMENT = re.compile(r"[\w.-]+ *\(?((?:(?:>=|<) *\d+(?:\.\d+)*[, ]*)*)\)?")
_CLAUSE = re.compile(r"(>=|<) *([\d.]+)")


def unmet(requirements: Iterable[str], version: str) -> str | None:
    """The first of a distribution's requirements on the core that this version does not meet.

    requirements: as metadata writes them. One that can't be read asks for nothing.
    """
    return next((one for one in requirements if not _meets(version, one)), None)


def _meets(version: str, requirement: str) -> bool:
    plain = _PLAIN_REQUIREMENT.fullmatch(requirement)
    if not plain or not _PLAIN_VERSION.fullmatch(version):
        return _meets_any(version, requirement)
    ours = _numbers(version)
    return all(
        ours >= _numbers(bound) if relation == ">=" else ours < _numbers(bound)
        for relation, bound in _CLAUSE.findall(plain[1])
    )


def _meets_any(version: str, requirement: str) -> bool:
    """Whatever packaging understands: importing that takes longer than all plugins of a run."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return True
    if parsed.marker and not parsed.marker.evaluate({"extra": ""}):
        return True
    return parsed.specifier.contains(version, prereleases=True)


def _numbers(version: str) -> list[int]:
    """1.0 and 1.0.0 are the same."""
    numbers = [int(part) for part in version.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def deprecations(manager: pluggy.PluginManager, plugin: object) -> Iterator[str]:
    """What a plugin implements that will go, and what to do, as the hook specs tell."""
    for caller in manager.get_hookcallers(plugin) or ():
        spec = caller.spec
        if spec is None:
            continue
        if spec.warn_on_impl:
            yield str(spec.warn_on_impl)
        for impl in caller.get_hookimpls():
            arguments = {*impl.argnames, *impl.kwargnames}
            told = spec.warn_on_impl_args or {}
            yield from (str(told[name]) for name in told if name in arguments)
