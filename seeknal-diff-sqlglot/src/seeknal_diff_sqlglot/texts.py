"""SQL as tokens: whether two texts differ in formatting only, and where things stand."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy
from sqlglot.tokenizer_core import Token, TokenType

from seeknal_diff_sqlglot.functions import words

MOST_TOKENS = 300_000
DEEPEST = 300
LONGEST_CHAIN = 500
MOST_JOINS = 3_000

_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_EXACT = {
    TokenType.STRING,
    TokenType.IDENTIFIER,
    TokenType.HEREDOC_STRING,
    TokenType.RAW_STRING,
    TokenType.BYTE_STRING,
    TokenType.NATIONAL_STRING,
    TokenType.UNICODE_STRING,
    TokenType.NATIONAL_RAW_STRING,
    TokenType.HINT,
}
_END_OF_ELEMENT = {
    *_CLOSING,
    TokenType.COMMA,
    TokenType.DISTINCT,
    TokenType.ALL,
    TokenType.FROM,
    TokenType.WHERE,
    TokenType.GROUP_BY,
    TokenType.HAVING,
    TokenType.QUALIFY,
    TokenType.ORDER_BY,
    TokenType.LIMIT,
    TokenType.OFFSET,
    TokenType.FETCH,
    TokenType.UNION,
    TokenType.INTERSECT,
    TokenType.EXCEPT,
    TokenType.WINDOW,
    TokenType.SEMICOLON,
    TokenType.INTO,
    TokenType.USING,
}
_SHOWS_CASE = re.compile(
    r"\{|json|columns|pivot|struct|alias|typeof|describe|summarize|map|unnest|query_table",
    re.IGNORECASE,
)
_CASE_IS_KEPT = {"mysql", "clickhouse", "doris", "starrocks", "singlestore", "fabric"}
NAMES_BY_MEANING = words(
    """
    duckdb postgres redshift materialize risingwave bigquery trino presto athena spark spark2
    databricks hive clickhouse
    """
)
"""Dialects in which the name of a column without one doesn't depend on spaces in the text."""


class Text:
    """A text of a dialect, with its tokens."""

    def __init__(self, sql: str, dialect: str) -> None:
        self.sql = sql
        self.name = dialect
        self.dialect: Dialect = Dialect.get_or_raise(dialect)
        self.tokens: list[Token] = self.dialect.tokenize(sql)
        while self.tokens and self.tokens[-1].token_type is TokenType.SEMICOLON:
            self.tokens.pop()
        self._ranges: list[tuple[int, int, int, int]] | None = None
        self._newlines: list[int] | None = None

    @property
    def case_is_kept(self) -> bool:
        """Whether names that differ in case only may be different names."""
        return self.name in _CASE_IS_KEPT

    @property
    def names_as_written(self) -> bool:
        """Whether a result shows names in the case that the query gives them."""
        strategy = self.dialect.normalization_strategy
        return self.case_is_kept or strategy is NormalizationStrategy.CASE_INSENSITIVE

    def too_much(self) -> str | None:
        """Why a parser is better not asked, or None."""
        if len(self.tokens) > MOST_TOKENS:
            return f"the query has more than {MOST_TOKENS} tokens"
        depth = chain = joins = 0
        before = None
        for token in self.tokens:
            kind = token.token_type
            chain += kind is TokenType.L_BRACKET and before is TokenType.R_BRACKET
            before = kind
            joins += kind is TokenType.JOIN or kind is TokenType.FROM
            if kind in _OPENING:
                depth += 1
                if depth > DEEPEST:
                    return f"the query is nested more than {DEEPEST} deep"
            elif kind in _CLOSING:
                depth -= 1
        if chain > LONGEST_CHAIN or joins > MOST_JOINS:
            return "the query is too long to be parsed in reasonable time"
        return None

    def line(self, node: exp.Expr | None) -> int | None:
        """The line on which a node begins, counted from 1."""
        if node is None:
            return None
        starts = [n.meta["start"] for n in node.walk() if "start" in n.meta]
        if not starts:
            return None
        if self._newlines is None:
            self._newlines = [i for i, character in enumerate(self.sql) if character == "\n"]
        return bisect_right(self._newlines, min(starts) - 1) + 1

    def written(self, node: exp.Expr) -> str:
        """The word of the text that a node keeps the place of, in lower case; "" if none."""
        meta = node.meta
        if "start" not in meta:
            return ""
        return self.sql[meta["start"] : meta["end"] + 1].lower()

    def generated_name(self, node: exp.Expr) -> str:
        """What stands for the name that an engine gives to a column without one.

        Two columns have the same name if this is the same and they compute the same: parentheses
        and the two spellings of a cast and of unequal don't show in names that are made from the
        parsed expression. Other dialects make them from the text, so there it is all of it.
        """
        places = [n.meta for n in node.walk() if "start" in n.meta]
        if not places:
            return node.sql(self.name)
        first = min(place["start"] for place in places)
        last = max(place["end"] for place in places)
        chosen = (0, len(self.tokens) - 1, 0, len(self.sql))
        for found in self._lists():
            if (
                found[2] <= first
                and last <= found[3]
                and found[3] - found[2] < chosen[3] - chosen[2]
            ):
                chosen = found
        begin, end, start, stop = chosen
        if self.name not in NAMES_BY_MEANING:
            return self.sql[start : stop + 1]
        return " ".join(self._words(self.tokens[begin : end + 1]))

    def _words(self, tokens: list[Token]) -> Iterator[str]:
        for token, after in zip(tokens, _followers(tokens), strict=True):
            kind = token.token_type
            if kind in _OPENING or kind in _CLOSING or kind in (TokenType.DCOLON, TokenType.ALIAS):
                continue
            text = token.text
            if kind is TokenType.STRING:
                yield "'" + text.replace("'", "''") + "'"
            elif kind is TokenType.NEQ:
                yield "<>"
            elif text.lower() not in ("cast", "as"):
                name = kind is TokenType.VAR and after is not TokenType.L_PAREN
                word = text if name and self.names_as_written else text.lower()
                yield "coalesce" if word == "ifnull" and self.name == "duckdb" else word

    def _lists(self) -> list[tuple[int, int, int, int]]:
        """Where each element of each SELECT list stands: by token, and by character."""
        if self._ranges is None:
            self._ranges = list(self._find_lists())
        return self._ranges

    def _find_lists(self) -> Iterator[tuple[int, int, int, int]]:
        """Each element of each SELECT list, as soon as its end is seen."""
        tokens = self.tokens
        unfinished: list[tuple[int, int]] = []
        depth = 0
        for i, token in enumerate(tokens):
            kind = token.token_type
            if kind is TokenType.SELECT:
                unfinished.append((depth, i + 1))
                continue
            inside = bool(unfinished) and unfinished[-1][0] == depth
            if kind in _OPENING:
                depth += 1
            elif kind in _CLOSING:
                depth -= 1
            if not inside or not self._ends_element(i):
                continue
            begin = unfinished.pop()[1]
            if kind in (TokenType.DISTINCT, TokenType.ALL):
                unfinished.append((depth, i + 1 if begin == i else begin))
                continue
            if begin < i:
                yield begin, i - 1, tokens[begin].start, tokens[i - 1].end
            if kind is TokenType.COMMA:
                unfinished.append((depth, i + 1))
        for _, begin in unfinished:
            if begin < len(tokens):
                yield begin, len(tokens) - 1, tokens[begin].start, tokens[-1].end

    def _ends_element(self, place: int) -> bool:
        kind = self.tokens[place].token_type
        if kind is TokenType.FROM and self.tokens[place - 1].token_type is TokenType.DISTINCT:
            return False
        return kind in _END_OF_ELEMENT


def differ_in_formatting_only(old: Text, new: Text) -> bool:
    """Whether two texts are the same tokens.

    Spaces, comments and the case of keywords mean nothing to any engine. The case of names that
    are not quoted means nothing where the dialect folds it, unless something in the query turns
    names into values; elsewhere a result may show it. Where an engine names a column after the
    text of its expression, that text must be the same too.
    """
    if len(old.tokens) != len(new.tokens):
        return False
    case_differs = False
    keep_case = old.names_as_written
    before = None
    for a, b, after in zip(old.tokens, new.tokens, _followers(old.tokens), strict=True):
        kind = a.token_type
        if kind is not b.token_type:
            return False
        if a.text != b.text:
            if kind in _EXACT or a.text.upper() != b.text.upper():
                return False
            named = before is TokenType.ALIAS or kind is TokenType.VAR
            if named and after is not TokenType.L_PAREN:
                if keep_case:
                    return False
                case_differs = True
        before = kind
    if case_differs and (shows_case(old) or shows_case(new)):
        return False
    return old.name in NAMES_BY_MEANING or _same_name_texts(old, new)


def _followers(tokens: list[Token]) -> list[TokenType | None]:
    """What stands after each token; before a parenthesis, a name is one of a function."""
    return [*(token.token_type for token in tokens[1:]), None]


def shows_case(text: Text) -> bool:
    """Whether a query may turn the names of columns into values."""
    return _SHOWS_CASE.search(text.sql) is not None


def same_spelling(old: Text, new: Text) -> bool:
    """Whether all names that two texts share have the same case in both."""

    def spelled(text: Text) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for token, after in zip(text.tokens, _followers(text.tokens), strict=True):
            name = token.token_type in (TokenType.VAR, TokenType.IDENTIFIER)
            if name and after is not TokenType.L_PAREN:
                found.setdefault(token.text.lower(), set()).add(token.text)
        return found

    a, b = spelled(old), spelled(new)
    return all(a[name] == b[name] for name in a.keys() & b.keys())


def _same_name_texts(old: Text, new: Text) -> bool:
    if old.sql == new.sql:
        return True
    for a, b in zip(old._lists(), new._lists(), strict=True):
        tokens = old.tokens[a[0] : a[1] + 1]
        plain = {TokenType.VAR, TokenType.IDENTIFIER, TokenType.DOT, TokenType.STAR}
        if all(token.token_type in plain for token in tokens):
            continue
        if len(tokens) > 2 and tokens[-2].token_type is TokenType.ALIAS:
            continue
        if old.sql[a[2] : a[3] + 1] != new.sql[b[2] : b[3] + 1]:
            return False
    return True
