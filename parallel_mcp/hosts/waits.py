"""How long a call may wait: by the table of hosts, and less once a client has given up earlier than that."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from parallel_mcp.hosts.table import call_limit

logger = logging.getLogger(__name__)

UNKNOWN_SECONDS = 25.0
"""For clients that nothing is known of: 30 s is a common limit."""

SHORTEST_SECONDS = 1.0
AGAIN_SECONDS = 4.0
"""The same question, asked this long after the first that is still waiting, means that the first was given up."""

REMEMBERED_SECONDS = 86_400.0


class Client(NamedTuple):
    """Whose calls they are: a caller, and the name that its client gives itself."""

    caller: str
    name: str


class Learned(NamedTuple):
    """How long the next calls may wait, and when that was learned, in Unix seconds."""

    seconds: float
    at: float


class Waits:
    """How long each client's calls wait. `fixed` is what somebody set, and then nothing is learned.

    What is learned holds for a day.
    """

    def __init__(self, fixed: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._fixed = fixed
        self._clock = clock
        self._file: Path | None = None
        self._learned: dict[Client, Learned] = {}
        self._waiting: dict[tuple[Client, str], float] = {}

    def keep_in(self, file: Path | None) -> None:
        """Keep what is learned in a file, and take what it has: some hosts start a process for each call."""
        self._file = file
        self._learned = _kept(file)

    def seconds(self, client: Client) -> float:
        """How long a call of this client may wait now."""
        if self._fixed is not None:
            return self._fixed
        limit = call_limit(client.name)
        usual = UNKNOWN_SECONDS if limit is None else before(limit)
        learned = self._learned.get(client)
        lately = learned is not None and time.time() - learned.at < REMEMBERED_SECONDS
        return min(usual, learned.seconds) if learned is not None and lately else usual

    @contextmanager
    def call(self, client: Client, asked: str) -> Iterator[float]:
        """How long a call for `asked` may wait. One that is broken off in this block was given up by its host."""
        began = self._clock()
        earlier = self._waiting.get((client, asked), began)
        if began - earlier >= AGAIN_SECONDS:
            self._given_up(client, began - earlier)
        self._waiting[client, asked] = began
        try:
            yield self.seconds(client)
        except Exception:
            raise
        except BaseException:
            # Cancelled, by a host's notification or by the end of its connection.
            self._given_up(client, self._clock() - began)
            raise
        finally:
            if self._waiting.get((client, asked)) == began:
                del self._waiting[client, asked]

    def _given_up(self, client: Client, after: float) -> None:
        if self._fixed is not None or before(after) >= self.seconds(client):
            return
        self._learned[client] = Learned(before(after), time.time())
        logger.info("A client gave a call up after %.0f s; the next ones wait for %.0f s", after, before(after))
        _keep(self._file, self._learned)


def before(limit: float) -> float:
    """A wait that leaves time for the answer to arrive within a limit."""
    return max(SHORTEST_SECONDS, limit - max(1.0, min(15.0, limit / 4)))


def _kept(file: Path | None) -> dict[Client, Learned]:
    try:
        lines = json.loads(file.read_text("utf-8")) if file is not None else []
        return {Client(caller, name): Learned(float(seconds), float(at)) for caller, name, seconds, at in lines}
    except (OSError, ValueError, TypeError):
        return {}


def _keep(file: Path | None, learned: dict[Client, Learned]) -> None:
    """Write it, beside what others wrote meanwhile. It may be lost: a call that is given up teaches it again."""
    if file is None:
        return
    lines = [[*client, *what] for client, what in {**_kept(file), **learned}.items() if _is_recent(what)]
    new = file.with_suffix(f".{os.getpid()}")
    try:
        new.touch(0o600)
        new.write_text(json.dumps(lines), "utf-8")
        new.replace(file)
    except OSError as error:
        logger.info("What hosts wait for is not kept: %s", error.strerror)


def _is_recent(learned: Learned) -> bool:
    return time.time() - learned.at < REMEMBERED_SECONDS
