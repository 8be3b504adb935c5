"""The smallest state backend that keeps the contract: for tests, and to begin one's own from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seeknal.state.documents import Document, DocumentBackend, Key


class MemoryBackend(DocumentBackend):
    """Documents in a dictionary, gone with the process."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[Key, Document] = {}

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        before = dict(self.documents)
        try:
            yield
        except BaseException:
            self.documents = before
            raise

    @contextmanager
    def _view(self) -> Iterator[None]:
        yield

    def _read(self, key: Key) -> Document | None:
        return self.documents.get(key)

    def _documents(self, *prefix: str) -> Iterator[Document]:
        for key in list(self.documents):
            if key[: len(prefix)] == prefix:
                yield self.documents[key]

    def _write(self, key: Key, document: Document) -> None:
        self.documents[key] = document

    def _delete(self, *prefix: str) -> None:
        for key in [k for k in self.documents if k[: len(prefix)] == prefix]:
            del self.documents[key]
