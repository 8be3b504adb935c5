"""State as JSON documents in Redis."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from seeknal.errors import ConflictError, StateError
from seeknal.names import check_name
from seeknal.state.documents import Document, DocumentBackend, Key

from seeknal_state_redis import address
from seeknal_state_redis.server import Server


class RedisBackend(DocumentBackend):
    """url: of the server; without it, what the environment's SEEKNAL_REDIS_URL says. prefix: what
    the keys of this project begin with.

    Several threads, processes and machines may use it. What a transaction writes is kept here until
    its end, and then written by one script.
    """

    def __init__(self, url: str | None = None, prefix: str = "seeknal") -> None:
        super().__init__()
        self._address = address.find(url)
        self._prefix = check_name(prefix, "a prefix of keys")
        self._servers: dict[int, Server] = {}
        """By process: a forked child has a connection of its own."""
        self._changes: dict[str, Document | None] | None = None
        """Of the open transaction: a document by key, None where it was removed."""
        self._version: int | None = None
        """That the open view has read."""

    def __repr__(self) -> str:
        return f"RedisBackend({self._address.name!r}, {self._prefix!r})"

    def close(self) -> None:
        with self._thread:
            server = self._servers.pop(os.getpid(), None)
            if server:
                server.close()

    # --- Transactions

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._server.begin()
        self._changes = {}
        try:
            yield
        except BaseException:
            with suppress(StateError):  # what went wrong before is what counts
                self._server.give_up()
            raise
        else:
            changes = self._changes.items()
            self._server.commit({k: None if d is None else json.dumps(d) for k, d in changes})
        finally:
            self._changes = None

    @contextmanager
    def _view(self) -> Iterator[None]:
        self._version = None
        yield

    @property
    def _server(self) -> Server:
        pid = os.getpid()
        if pid not in self._servers:
            self._servers[pid] = Server(self._address, self._prefix)
        return self._servers[pid]

    # --- Documents

    def _read(self, key: Key) -> Document | None:
        if self._changes is not None and _text(key) in self._changes:
            return self._changes[_text(key)]
        return self._found(key).get(_text(key))

    def _documents(self, *prefix: str) -> Iterator[Document]:
        return iter(self._found(prefix).values())

    def _write(self, key: Key, document: Document) -> None:
        assert self._changes is not None
        self._changes[_text(key)] = document

    def _delete(self, *prefix: str) -> None:
        assert self._changes is not None
        self._changes |= dict.fromkeys(self._found(prefix))

    def _found(self, prefix: Key) -> dict[str, Document]:
        """Documents by key: those on the server, with what this transaction has changed."""
        first, behind = _text(prefix), f"{_text(prefix)}#"
        version, texts = self._server.find(first, behind)
        found: dict[str, Document | None] = {key: json.loads(t) for key, t in texts.items()}
        if self._changes is None:
            self._check(version)
        else:
            found |= {k: d for k, d in self._changes.items() if first <= k < behind}
        return {key: document for key, document in found.items() if document is not None}

    def _check(self, version: int) -> None:
        """Make sure that all that a view reads is of one moment."""
        if self._version not in (None, version):
            raise ConflictError(f"{self._address.name} was written while it was read: try again.")
        self._version = version


def _text(key: Key) -> str:
    """Another text for every key; one that begins as another begins with its text. What comes next
    is a quote, and `#` is behind it."""
    return "".join(f"{json.dumps(part)}," for part in key)
