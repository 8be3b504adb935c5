"""Ask classifiers, in their order, what a change of SQL can reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from seeknal.dag.classifier import (
    EVERYTHING,
    UNCHANGED,
    Change,
    Classifier,
    Lineage,
    Query,
    Reason,
    Verdict,
)
from seeknal.hookspecs import CLASSIFIER
from seeknal.plugins import Plugins

DEFAULT = ("sqlglot", "text")
"""Who is asked where nothing is set: those of them that are installed."""


class Judged(NamedTuple):
    """A verdict, and the name of the classifier that gave it; None when none did."""

    verdict: Verdict
    by: str | None


class Judge:
    """Several classifiers as one, each opened when it is first asked.

    What one of them does wrong makes a verdict BREAKING, and no more.
    """

    def __init__(self, classifiers: Sequence[tuple[str, Callable[[], Classifier]]]) -> None:
        self._open = dict(classifiers)
        self._opened: dict[str, Classifier] = {}

    def __getstate__(self) -> dict[str, object]:
        """Another process opens its own."""
        return {**self.__dict__, "_opened": {}}

    @classmethod
    def of(cls, names: Sequence[str] | None = None, plugins: Plugins | None = None) -> Judge:
        """names: who is asked, in this order. Raises what `Plugins.get` does for one of them."""
        found = plugins or Plugins()
        if names is None:
            there = found.available(CLASSIFIER)
            names = [name for name in DEFAULT if name in there]
        for name in names:
            found.get(CLASSIFIER, name)
        return cls([(name, partial(found.create, CLASSIFIER, name)) for name in names])

    def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Judged:
        """How the result of `new` differs from that of `old`: see `Classifier.classify`."""
        same = (old.sql, old.inputs, old.dialect) == (new.sql, new.inputs, new.dialect)
        if same and not any(inputs.values()):
            return Judged(Verdict(UNCHANGED), None)
        for name in self._open:
            try:
                verdict = self._classifier(name).classify(old, new, inputs)
                if verdict is None:
                    continue
                if not isinstance(verdict, Verdict):
                    raise TypeError(f"it gave {verdict!r}, and no Verdict")
            except Exception as error:
                why = Reason(f"the classifier '{name}' failed: {type(error).__name__}: {error}")
                return Judged(Verdict(EVERYTHING, (why,)), name)
            return Judged(verdict, name)
        why = Reason("no classifier can tell what this change of its SQL means")
        return Judged(Verdict(EVERYTHING, (why,)), None)

    def lineage(self, query: Query) -> Lineage | None:
        """What a result is made from, or None where no classifier can tell."""
        for name in self._open:
            try:
                lineage = self._classifier(name).lineage(query)
            except Exception:
                continue
            if lineage is not None:
                return lineage
        return None

    def _classifier(self, name: str) -> Classifier:
        if name not in self._opened:
            self._opened[name] = self._open[name]()
        return self._opened[name]
