"""What is asked of the Redis server: ranges of documents, and one commit at a time.

    <prefix>:documents    hash         key -> document
    <prefix>:keys         sorted set   all keys, in the order of their texts
    <prefix>:version      number       counts commits
    <prefix>:writer       text         who may commit; gone when nobody writes
    <prefix>:done:<id>    text         that a commit was made, for a minute

Prefixes are in braces, so that a cluster keeps all of this in one place.
"""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as ServerAway
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as ServerSilent
from redis.retry import Retry
from seeknal.errors import StateError

from seeknal_state_redis.address import Address

CONNECT_SECONDS, ANSWER_SECONDS = 5, 60
TURN_SECONDS = 60
"""How long one waits for another process to finish what it writes."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.0005, 0.02

FIND = """
local found = {redis.call('GET', KEYS[3]) or '0'}
local keys = redis.call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[1], '(' .. ARGV[2])
for _, key in ipairs(keys) do
    found[#found + 1] = key
    found[#found + 1] = redis.call('HGET', KEYS[1], key)
end
return found
"""
"""The version, and keys and documents from ARGV[1] to before ARGV[2]."""

COMMIT = """
if redis.call('EXISTS', KEYS[5]) == 1 then return 1 end
if redis.call('GET', KEYS[4]) ~= ARGV[1] then return 0 end
for _, change in ipairs(cjson.decode(ARGV[2])) do
    if change[2] == cjson.null then
        redis.call('HDEL', KEYS[1], change[1])
        redis.call('ZREM', KEYS[2], change[1])
    else
        redis.call('HSET', KEYS[1], change[1], change[2])
        redis.call('ZADD', KEYS[2], 0, change[1])
    end
end
redis.call('INCR', KEYS[3])
redis.call('SET', KEYS[5], '', 'EX', 60)
redis.call('DEL', KEYS[4])
return 1
"""
"""Write all documents and end the turn, if it is still that of ARGV[1]. Sent twice, since the answer
was lost, it is done once."""

TAKE_OVER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
GIVE_BACK = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1])"


class Server:
    """The documents of one project, seen by one process. One thread at a time may use it."""

    def __init__(self, address: Address, prefix: str) -> None:
        self._address = address
        self._name = f"seeknal-{os.getpid()}-{uuid.uuid4().hex}"
        """Of the connection: while there is one by this name, its process lives."""
        self._redis = Redis.from_url(
            address.url,
            client_name=self._name,
            max_connections=1,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3, (ServerAway, ServerSilent)),
        )
        rooms = ("documents", "keys", "version", "writer", "done")
        self._keys = {room: f"{{{prefix}}}:{room}" for room in rooms}
        self._turn = ""

    def close(self) -> None:
        self._redis.close()

    def find(self, first: str, behind: str) -> tuple[int, dict[str, str]]:
        """The version, and the documents whose keys are from `first` to before `behind`."""
        keys = [self._keys[room] for room in ("documents", "keys", "version")]
        with self._errors():
            version, *found = self._script(FIND, keys, first, behind)
        texts = [part.decode() for part in found]
        return int(version), dict(zip(texts[::2], texts[1::2], strict=True))

    # --- Turns

    def begin(self) -> None:
        """Wait until nobody else writes. Raises StateError when that doesn't come."""
        turn = f"{self._name} {uuid.uuid4().hex}"
        deadline, pause = time.monotonic() + TURN_SECONDS, SHORTEST_PAUSE
        with self._errors():
            while not self._take(turn):
                if time.monotonic() > deadline:
                    raise StateError(
                        f"{self._address.name} can't be written: another process has been writing "
                        f"for {TURN_SECONDS} s. If it hangs, end it."
                    )
                time.sleep(random.uniform(0, pause))
                pause = min(2 * pause, LONGEST_PAUSE)
        self._turn = turn

    def commit(self, changes: Mapping[str, str | None]) -> None:
        """Write all documents at once, those that are None aside, which go; and end the turn.

        Raises StateError, and nothing is written, when another process has taken it.
        """
        keys = [*self._keys.values()]
        keys[-1] += f":{self._turn.rpartition(' ')[2]}"
        with self._errors():
            done = self._script(COMMIT, keys, self._turn, json.dumps([*changes.items()]))
        if not done:
            raise StateError(
                f"{self._address.name} was away while it was written to, and another process took "
                "its turn. Nothing was written: try again."
            )

    def give_up(self) -> None:
        """End the turn, if it is still ours, and write nothing."""
        with self._errors():
            self._script(GIVE_BACK, [self._keys["writer"]], self._turn)

    def _take(self, turn: str) -> bool:
        """Take the turn when nobody has it, or when who has it died: its connection has ended then.

        A turn of this connection that was not given back, since the server was away, is over.
        """
        writer = self._keys["writer"]
        if self._redis.set(writer, turn, nx=True):
            return True
        holder: Any = self._redis.get(writer)
        if holder is None or holder.decode() == turn:
            return holder is not None
        name = holder.decode().partition(" ")[0]
        alive = {client["name"] for client in self._redis.client_list()} - {self._name}
        if name in alive:
            return False
        return bool(self._script(TAKE_OVER, [writer], holder, turn))

    # --- Redis

    def _script(self, script: str, keys: list[str], *arguments: Any) -> Any:
        return self._redis.register_script(script)(keys=keys, args=arguments)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            why = self._address.masked(str(error)).rstrip(".")
            raise StateError(f"{self._address.name} can't be used as state: {why}.") from None
