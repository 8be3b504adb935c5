"""Edits of how a query is written, and not of what it says."""

from __future__ import annotations

import random
from itertools import pairwise

import sqlglot
from sqlglot.tokens import Token, TokenType

from .editing import Claim, parsed, pick, text_edit, written

LITERALS = {TokenType.STRING, TokenType.NUMBER, TokenType.IDENTIFIER}
SPACES = (" ", "\n", "\t", "  ", "\n\n    ")
COMMENTS = ("/* note */", "-- it's a note\n", "/* SELECT 1; */", "/* a -- b */")


def tokens(sql: str) -> list[Token]:
    return list(sqlglot.tokenize(sql, read="duckdb"))


def gaps(sql: str) -> list[tuple[int, int]]:
    """Where there is nothing but space between two tokens."""
    places = [(token.start, token.end) for token in tokens(sql)]
    found = [(one[1] + 1, two[0]) for one, two in pairwise(places) if two[0] > one[1]]
    return [(a, b) for a, b in found if b > a and not sql[a:b].strip()]


@text_edit(Claim.KEEPS)
def reformat(sql: str, rng: random.Random) -> str | None:
    return written(parsed(sql)) if rng.random() < 0.5 else parsed(sql).sql("duckdb")


@text_edit(Claim.KEEPS)
def other_spaces(sql: str, rng: random.Random) -> str | None:
    for a, b in reversed(gaps(sql)):
        if "\n" not in sql[a:b]:
            sql = sql[:a] + rng.choice(SPACES) + sql[b:]
    return sql


@text_edit(Claim.KEEPS)
def comments(sql: str, rng: random.Random) -> str | None:
    places = gaps(sql)
    for a, _ in sorted(rng.sample(places, k=min(3, len(places))), reverse=True):
        sql = f"{sql[:a]} {rng.choice(COMMENTS)}{sql[a:]}"
    return f"-- {rng.randrange(10)}\n{sql}" if rng.random() < 0.5 else sql


@text_edit(Claim.KEEPS)
def semicolon(sql: str, rng: random.Random) -> str | None:
    return sql + rng.choice((";", "\n;\n", "  \n", ";  -- done"))


@text_edit(Claim.KEEPS)
def keyword_case(sql: str, rng: random.Random) -> str | None:
    change = rng.choice((str.upper, str.lower))
    for token in reversed(tokens(sql)):
        if token.token_type not in LITERALS | {TokenType.VAR} and token.text.isalpha():
            sql = sql[: token.start] + change(token.text) + sql[token.end + 1 :]
    return sql


@text_edit(Claim.KEEPS)
def name_case(sql: str, rng: random.Random) -> str | None:
    names = sorted({token.text for token in tokens(sql) if token.token_type is TokenType.VAR})
    name = pick(rng, names)
    if name is None or name == name.upper():
        return None
    for token in reversed(tokens(sql)):
        if token.token_type is TokenType.VAR and token.text == name and rng.random() < 0.7:
            sql = sql[: token.start] + name.upper() + sql[token.end + 1 :]
    return sql


@text_edit(Claim.KEEPS)
def not_equal_spelling(sql: str, rng: random.Random) -> str | None:
    found = [token for token in tokens(sql) if token.token_type is TokenType.NEQ]
    for token in reversed(found):
        other = "<>" if sql[token.start : token.end + 1] == "!=" else "!="
        sql = sql[: token.start] + other + sql[token.end + 1 :]
    return sql if found else None


@text_edit(Claim.KEEPS)
def quoted_names(sql: str, rng: random.Random) -> str | None:
    """Quoting changes nothing in DuckDB, whose names ignore case with quotes and without."""
    names = [
        token
        for before, token, after in zip(tokens(sql), tokens(sql)[1:], tokens(sql)[2:], strict=False)
        if token.token_type is TokenType.VAR
        and before.token_type is TokenType.DOT
        and after.token_type is not TokenType.L_PAREN
    ]
    token = pick(rng, names)
    if token is None:
        return None
    return f'{sql[: token.start]}"{token.text}"{sql[token.end + 1 :]}'


@text_edit(Claim.KEEPS)
def parenthesized_whole(sql: str, rng: random.Random) -> str | None:
    return None if "--" in sql else f"({sql.rstrip().removesuffix(';')})"
