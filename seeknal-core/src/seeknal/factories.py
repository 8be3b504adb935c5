"""What the signature of a provider's factory tells: which options it takes, and which are paths."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seeknal.errors import RequestError, did_you_mean


def check_options(
    create: Callable[..., object],
    label: str,
    name: str,
    context: Sequence[object],
    options: Mapping[str, object],
) -> None:
    """Compare options with the factory's signature, so that only its own errors come from it."""
    parameters = _parameters(create)
    if parameters is None:
        return
    given = len(context)
    settable = [
        p for p in parameters[given:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    names = [p.name for p in settable]
    accepts = f"{name} accepts: {', '.join(names)}." if names else f"{name} has no options."
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for option in options:
            if option not in names:
                raise RequestError(
                    f"The {label} '{name}' has no option '{option}'."
                    f"{did_you_mean(option, names)} {accepts}"
                )
    missing = [p.name for p in settable if p.default is p.empty and p.name not in options]
    if missing:
        raise RequestError(f"The {label} '{name}' needs {', '.join(missing)}. {accepts}")


def takes(create: Callable[..., object], context: Sequence[object]) -> bool:
    """Whether a factory can be called with these positional arguments."""
    try:
        inspect.signature(create).bind_partial(*context)
    except TypeError:
        return False
    except ValueError:  # one of the few builtins that do not tell
        return True
    return True


def resolve_paths(
    create: Callable[..., object], root: Path, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Options with every parameter annotated `Path` taken relative to `root`, defaults too."""
    resolved = dict(options)
    for parameter in _parameters(create) or []:
        value = options.get(parameter.name, parameter.default)
        if "Path" in _annotated(parameter) and isinstance(value, str | Path):
            resolved[parameter.name] = root / value
    return resolved


def _parameters(create: Callable[..., object]) -> list[inspect.Parameter] | None:
    """None for the few builtins that do not tell."""
    try:
        return list(inspect.signature(create).parameters.values())
    except (ValueError, TypeError):
        return None


def _annotated(parameter: inspect.Parameter) -> list[str]:
    """The names in an annotation, which is text where annotations are postponed."""
    annotation = parameter.annotation
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return re.findall(r"\w+", text)
