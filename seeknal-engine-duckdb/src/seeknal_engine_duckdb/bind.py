"""Put the data of other nodes where a node's SQL names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from seeknal.dag.sql_text import mentions

IsKeyword = Callable[[str], bool]
"""Whether a word can't be a table's alias without AS."""


def bind(
    sql: str, inputs: Sequence[str], tables: Mapping[str, str], is_keyword: IsKeyword
) -> tuple[str, dict[str, str]]:
    """The SQL with every `ref('...')` replaced, and the views that it needs besides.

    inputs: ids by position. tables: for each, an expression that can stand in FROM. Views are
    given as name -> node id, for `input_0` and for `source.x`, which stay as they are. The lines
    of the SQL stay the lines they were.
    """
    parts: list[str] = []
    views: dict[str, str] = {}
    by_lower = {node_id.lower(): node_id for node_id in tables}
    position = 0
    for mention in mentions(sql):
        if mention.how == "ref":
            alias = "" if _has_alias(sql, mention.end, is_keyword) else _alias(mention.target)
            parts += [sql[position : mention.start], tables[mention.target], alias]
            position = mention.end
        elif mention.how == "input" and int(mention.target) < len(inputs):
            views[f"input_{mention.target}"] = inputs[int(mention.target)]
        elif mention.how == "table" and mention.target.lower() in by_lower:
            node_id = by_lower[mention.target.lower()]
            views[node_id] = node_id
    parts.append(sql[position:])
    return "".join(parts), views


def _alias(node_id: str) -> str:
    """Let columns be qualified by the node's name, as with a table."""
    name = node_id.partition(".")[2]
    return f' AS "{name}"'


def _has_alias(sql: str, end: int, is_keyword: IsKeyword) -> bool:
    """Whether an alias follows at this place, behind spaces and comments."""
    rest = sql[end:].lstrip()
    while rest.startswith(("--", "/*")):
        close = "\n" if rest.startswith("--") else "*/"
        rest = rest.partition(close)[2].lstrip()
    if rest.startswith('"'):
        return True
    word = _word(rest)
    return word.lower() == "as" or (bool(word) and not is_keyword(word.lower()))


def _word(text: str) -> str:
    for index, char in enumerate(text):
        if not (char.isalnum() or char == "_"):
            return text[:index]
    return text
