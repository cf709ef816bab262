"""How long a call may wait, by the table of hosts, or less if a client has given up earlier than that."""

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
"""For unknown clients: 30 s is a common limit."""

SHORTEST_SECONDS = 1.0
SHORTEST_LIMIT = 4.0
"""No known host gives up before 5 s: what ends a call sooner is a person, or a model."""

STARTING_SECONDS = 2.0
"""A call that comes this soon after the start was held until the server ran, so the host has waited longer for it."""

COMMON_LIMITS = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""The model takes some time to ask again, so the limit was the longest of these that had passed."""

REMEMBERED_SECONDS = 86_400.0
MOST_CLIENTS = 1000


class Client(NamedTuple):
    """A caller, and the name that its client gives itself."""

    caller: str
    name: str


class Learned(NamedTuple):
    """How long the next calls may wait, and when that was learned, as a Unix timestamp."""

    seconds: float
    at: float


class Waits:
    """How long each client's calls wait. If `fixed` is set, it is used for all, and nothing is learned.

    What is learned is used for a day.
    """

    def __init__(self, fixed: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._fixed = fixed
        self._clock = clock
        self._started = clock()
        self._file: Path | None = None
        self._learned: dict[Client, Learned] = {}
        self._doubtful: dict[Client, tuple[float, float]] = {}
        self._waiting: dict[tuple[Client, str], float] = {}

    def keep_in(self, file: Path | None) -> None:
        """Load what was learned from a file, and keep it there: some hosts start a process for each call."""
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
        """How long a call for `asked` may wait. If the block is cancelled, the host gave up on the call."""
        began = self._clock()
        earlier = self._waiting.get((client, asked), began)
        if began > earlier:
            self._asked_again(client, earlier)
        self._waiting[client, asked] = began
        try:
            yield self.seconds(client)
            self._lasted(client, asked, began)
        except Exception:
            raise
        except BaseException:
            # Cancelled by a notification from the host, or because its connection ended.
            self._cancelled(client, began)
            self._lasted(client, asked, began)
            raise
        finally:
            if self._waiting.get((client, asked)) == began:
                del self._waiting[client, asked]

    def _asked_again(self, client: Client, began: float) -> None:
        """Either the host gave up without a word, or another of its agents joins the question."""
        after = self._clock() - began
        limit = max((common for common in COMMON_LIMITS if common <= after), default=after)
        if after >= SHORTEST_LIMIT and (call_limit(client.name) is None or self._twice(client, began)):
            self._shorten(client, limit)

    def _cancelled(self, client: Client, began: float) -> None:
        """Hosts have round limits. If the limit is known, any other time is a person's, unless it recurs."""
        after = self._clock() - began
        if call_limit(client.name) is None:
            believed = after >= SHORTEST_LIMIT or began - self._started < STARTING_SECONDS
        else:
            is_round = abs(after - 5 * round(after / 5)) < 0.25
            believed = after >= SHORTEST_LIMIT and (is_round or self._twice(client, began))
        if believed:
            self._shorten(client, after)

    def _twice(self, client: Client, began: float) -> bool:
        """Whether its last doubtful call was as old, and over when this one began: one key cancels several calls."""
        now = self._clock()
        ended, last = self._doubtful.pop(client, (now, 0.0))
        self._doubtful[client] = now, now - began
        if len(self._doubtful) > MOST_CLIENTS:
            del self._doubtful[next(iter(self._doubtful))]
        return ended <= began and abs(now - began - last) <= (now - began) / 10

    def _shorten(self, client: Client, limit: float) -> None:
        if before(limit) < self.seconds(client):
            self._learn(client, before(limit))

    def _lasted(self, client: Client, asked: str, began: float) -> None:
        """If the host kept a call open for longer than was learned, that was no limit.

        Unknown names may belong to several hosts: the shortest limit holds for them.
        """
        wait, learned = before(self._clock() - began), self._learned.get(client)
        alone = self._waiting.get((client, asked)) == began
        if alone and learned is not None and wait > learned.seconds and call_limit(client.name) is not None:
            self._learn(client, wait)

    def _learn(self, client: Client, seconds: float) -> None:
        if self._fixed is not None:
            return
        others = [(one, what) for one, what in self._learned.items() if one != client and _is_recent(what)]
        self._learned = dict([*others[1 - MOST_CLIENTS :], (client, Learned(seconds, time.time()))])
        logger.info("By how long a client kept a call open, its next ones wait %.0f s", seconds)
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
    """Write it, merged with what other processes have written. It may be lost: the next call given up relearns it."""
    if file is None:
        return
    lines = [[*client, *what] for client, what in {**_kept(file), **learned}.items() if _is_recent(what)]
    new = file.with_suffix(f".{os.getpid()}")
    try:
        new.touch(0o600)
        new.write_text(json.dumps(lines[-MOST_CLIENTS:]), "utf-8")
        new.replace(file)
    except OSError as error:
        logger.info("How long hosts wait could not be saved: %s", error.strerror)


def _is_recent(learned: Learned) -> bool:
    return time.time() - learned.at < REMEMBERED_SECONDS
