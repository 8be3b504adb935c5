"""Judge changes of SQL by what the SQL means."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp
from sqlglot.dialects.dialect import NormalizationStrategy
from sqlglot.errors import SqlglotError

from seeknal.dag.classifier import (
    EVERYTHING,
    UNCHANGED,
    Change,
    ChangeCategory,
    ColumnOf,
    Lineage,
    Query,
    Reason,
    Verdict,
)
from seeknal_diff_sqlglot.comparison import Comparison
from seeknal_diff_sqlglot.queries import relation_of
from seeknal_diff_sqlglot.reasons import ROWS, Reasons
from seeknal_diff_sqlglot.relations import (
    GENERATED,
    Item,
    NotUnderstood,
    Relation,
    Select,
    SetOperation,
)
from seeknal_diff_sqlglot.terms import VOLATILE, Terms
from seeknal_diff_sqlglot.texts import Text, differ_in_formatting_only, same_spelling, shows_case
from seeknal_diff_sqlglot.tracing import Tracing, result_columns

_TEMPLATE = ("{{", "{%", "{#")


class SqlglotClassifier:
    """Reads whatever sqlglot reads."""

    def classify(self, old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict | None:
        """The verdict; one of everything, with the reason, whatever goes wrong."""
        try:
            return _classify(old, new, {name: change for name, change in inputs.items() if change})
        except _Refused as error:
            return Verdict(EVERYTHING, (error.reason,))
        except RecursionError:
            return _everything("the query is nested too deep to be understood")
        except SqlglotError as error:
            return _everything(f"the query can't be parsed: {_first_line(error)}")
        except Exception as error:
            return _everything(f"the query is not understood ({type(error).__name__})")

    def lineage(self, query: Query) -> Lineage | None:
        """None for whatever is not understood."""
        try:
            return _lineage(query)
        except Exception:
            return None


class _Refused(Exception):
    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.reason = Reason(message, line)


def _everything(message: str) -> Verdict:
    return Verdict(EVERYTHING, (Reason(message),))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _classify(old: Query, new: Query, inputs: Mapping[str, Change]) -> Verdict:
    if not isinstance(old.sql, str) or not isinstance(new.sql, str):
        return _everything("there is no query")
    same_place = (old.dialect, old.inputs) == (new.dialect, new.inputs)
    if same_place and old.sql == new.sql and not inputs:
        return Verdict(UNCHANGED)
    if old.dialect != new.dialect:
        return _everything(f"the dialect is {new.dialect} instead of {old.dialect}")
    before = Text(old.sql, old.dialect)
    after = before if old.sql == new.sql else Text(new.sql, new.dialect)
    if not after.tokens or not before.tokens:
        return _everything("there is no query")
    formatting = old.sql == new.sql or differ_in_formatting_only(before, after)
    templates = any(mark in text for mark in _TEMPLATE for text in (old.sql, new.sql))
    if templates and (inputs or old.sql != new.sql):
        return _everything("a template is left in the query")
    if formatting and same_place and not inputs:
        return Verdict(UNCHANGED)
    return _by_meaning(old, new, inputs, before, after, formatting)


def _by_meaning(
    old: Query,
    new: Query,
    inputs: Mapping[str, Change],
    before: Text,
    after: Text,
    formatting: bool,
) -> Verdict:
    case_shows = not formatting and (shows_case(before) or shows_case(after))
    if case_shows and not same_spelling(before, after):
        return _everything("names are spelled differently where they may become values")
    old_tree = parse(before)
    new_tree = old_tree if old.sql == new.sql else parse(after)
    attempts = [False, True] if old.columns or new.columns else [False]
    verdict = None
    for columns_too in attempts:
        judgement = _Judgement(old, new, inputs, after, formatting)
        found = judgement.verdict(before, old_tree, new_tree, columns_too)
        if verdict is None or not found.change.rows:
            verdict = found
        if not _might_be_less(verdict.change):
            break
    assert verdict is not None
    return verdict


def _might_be_less(change: Change) -> bool:
    """Whether it could turn out to be less where the columns of tables are known."""
    return change.rows or bool(change.changed or change.removed)


def parse(text: Text) -> exp.Expr:
    """The one statement of a text."""
    if problem := text.too_much():
        raise _Refused(problem)
    statements = [s for s in text.dialect.parser().parse(text.tokens, text.sql) if s is not None]
    if len(statements) != 1:
        raise _Refused("there are several statements" if statements else "there is no query")
    return statements[0]


class _Judgement:
    """One comparison of two parsed queries."""

    def __init__(
        self,
        old: Query,
        new: Query,
        inputs: Mapping[str, Change],
        text: Text,
        formatting: bool,
    ) -> None:
        self._old, self._new = old, new
        self._text = text
        self._formatting = formatting
        self._spelled: dict[str, str] = {}
        self._terms = Terms()
        self._before = 0
        self._reasons = Reasons(text)
        lowered = {name.lower(): self._lower(change) for name, change in inputs.items()}
        self._comparison = Comparison(self._terms, lowered, self._reasons)

    def _lower(self, change: Change) -> Change:
        def lower(names: frozenset[str]) -> frozenset[str]:
            self._spelled |= {name.lower(): name for name in names}
            return frozenset(name.lower() for name in names)

        return Change(
            change.rows,
            lower(change.changed),
            lower(change.added),
            lower(change.removed),
            change.moved,
        )

    def verdict(
        self, before: Text, old_tree: exp.Expr, new_tree: exp.Expr, columns_too: bool
    ) -> Verdict:
        try:
            old = relation_of(self._old, before, old_tree, self._terms, columns_too)
            self._before = len(self._terms.volatile)
            new = old
            if columns_too or new_tree is not old_tree or self._old.inputs != self._new.inputs:
                new = relation_of(self._new, self._text, new_tree, self._terms, columns_too)
        except NotUnderstood as error:
            message = f"not understood: {error.message}"
            return Verdict(EVERYTHING, (Reason(message, self._text.line(error.node)),))
        if not self._formatting and self._volatile(old, new):
            return Verdict(EVERYTHING, self._reasons.sorted())
        change = self._comparison.change(old, new)
        change = self._comparison.settled(old, new, change)
        if change.rows:
            return Verdict(EVERYTHING, self._reasons.sorted() or (Reason("nothing is proven"),))
        if not change:
            return Verdict(UNCHANGED)
        unnamed = change.changed | change.removed
        if change.category is not ChangeCategory.NON_BREAKING:
            unnamed |= change.added
        if any(name.startswith(GENERATED) for name in unnamed):
            message = "a column without a name of its own is not the same"
            self._reasons.add(ROWS, message)
            return Verdict(EVERYTHING, self._reasons.sorted())
        return Verdict(self._named(change, old, new), self._reasons.sorted())

    def _volatile(self, old: Relation, new: Relation) -> bool:
        """What is volatile is equal to nothing but its own text."""
        flags = self._terms[old.key].flags | self._terms[new.key].flags
        if flags & VOLATILE:
            message = "it is volatile, or not known to give the same each time"
            found = self._terms.volatile[self._before :]
            for node in found[:1]:
                what = f"{self._text.written(node) or node.key}: {message}"
                self._reasons.add(ROWS, what, node)
            if not found:
                self._reasons.add(ROWS, f"something in the old text: {message}")
        return bool(flags & VOLATILE)

    def _named(self, change: Change, *relations: Relation) -> Change:
        """Names as the dialect writes them, where it doesn't ignore case."""
        strategy = self._text.dialect.normalization_strategy
        if strategy is not NormalizationStrategy.CASE_INSENSITIVE:
            for relation in relations:
                self._spelled |= _spelled(relation)

        def spell(names: frozenset[str]) -> frozenset[str]:
            return frozenset(self._spelled.get(n, n).removeprefix(GENERATED) for n in names)

        return Change(
            False, spell(change.changed), spell(change.added), spell(change.removed), change.moved
        )


def _spelled(relation: Relation) -> dict[str, str]:
    while isinstance(relation, SetOperation):
        relation = relation.left
    if not isinstance(relation, Select):
        return {}
    return {item.name: item.spelled for item in relation.items if isinstance(item, Item)}


def _lineage(query: Query) -> Lineage | None:
    text = Text(query.sql, query.dialect)
    terms = Terms()
    relation = relation_of(query, text, parse(text), terms, columns_too=True)
    tracing = Tracing(terms)
    columns: dict[str, frozenset[ColumnOf]] = {}
    for name in result_columns(relation):
        found = tracing.unknown(relation) if name == "*" else tracing.column(relation, name)
        columns[name] = columns.get(name, frozenset()) | found
    return Lineage(columns, tracing.rows(relation))
