"""Research runs in Redis, shared by any number of machines. Needs the extra `redis`."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from parallel_mcp import errors
from parallel_mcp.models import Status
from parallel_mcp.research import (
    INTERRUPTED,
    LEASE_SECONDS,
    MAX_ATTEMPTS,
    Admission,
    NewRun,
    Outcome,
    ResearchRun,
    Scope,
    Settlement,
    Spent,
)
from parallel_mcp.research.store import MAX_WORKING_BYTES, MAX_WORKING_RUNS
from parallel_mcp.stores import serialization

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.commands.core import AsyncScript

PREFIX = "parallel-mcp"
CONNECT_SECONDS = 2.0
REPLY_SECONDS = 2.0
TURN_SECONDS = 5.0
"""How long a call waits for a free connection."""
CONNECTIONS = 16
DAY_SECONDS = 86400


def lua() -> str:
    """The script that implements every method."""
    return resources.files("parallel_mcp.stores").joinpath("redis.lua").read_text("utf-8")


class RedisStore:
    """A `Store` in Redis. Each method is one call of one script, and its time is Redis's own.

    It connects on first use, so that a server starts even if Redis is down.
    """

    def __init__(self, url: str, *, retention_days: float = 30, prefix: str = PREFIX) -> None:
        self._url = url
        self._place = place(url)
        self._base = "{" + prefix + "}"
        self._keep = _micro(retention_days * DAY_SECONDS)
        self._client: Redis | None = None
        self._script: AsyncScript | None = None

    def source(self) -> str:
        """The script that implements every method."""
        return lua()

    async def close(self) -> None:
        """Close the connections."""
        client, self._client, self._script = self._client, None, None
        if client is not None:
            await client.aclose(close_connection_pool=True)

    async def add_or_join(self, new: NewRun) -> tuple[ResearchRun, Admission]:
        """See Store."""
        found = await self._call(
            "add",
            id=new.research_id,
            key=new.key,
            **_scope(new.scope),
            question=serialization.dump(new.question),
            model=new.question.model,
            holder=new.holder,
            reuse=_micro(new.reuse_seconds),
            waiter=new.waiter,
            most_runs=MAX_WORKING_RUNS,
            most_bytes=MAX_WORKING_BYTES,
            **_charge(new.price_usd, new.budget_usd),
        )
        if found[0] == b"working":
            raise errors.TooManyWorking(int(found[1]))
        self._afforded(found, new.price_usd, new.budget_usd)
        return self._rows([found])[0], cast("Admission", found[0].decode())

    async def get(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """See Store."""
        return self._row(await self._call("get", id=research_id, **_scope(scope), waiter=waiter))

    async def check(self) -> None:
        """See Store."""
        await self._call("check")

    async def leave(self, research_id: str, waiter: str) -> None:
        """See Store."""
        await self._call("leave", id=research_id, waiter=waiter)

    async def claim(
        self, seen: ResearchRun, holder: str, price_usd: float, budget_usd: float | None
    ) -> ResearchRun | None:
        """See Store."""
        found = await self._call(
            "claim",
            id=seen.research_id,
            **_scope(seen.scope),
            seen_holder=seen.holder,
            seen_due=None if seen.due is None else _micro(seen.due),
            holder=holder,
            interrupted=INTERRUPTED,
            **_charge(price_usd, budget_usd),
        )
        self._afforded(found, price_usd, budget_usd)
        return self._row(found)

    async def renew(self, research_id: str, holder: str) -> ResearchRun | None:
        """See Store."""
        return self._row(await self._call("renew", id=research_id, holder=holder))

    async def release(self, research_id: str, holder: str, *, sent: bool) -> None:
        """See Store."""
        await self._call("release", id=research_id, holder=holder, unsent=None if sent else 1)

    async def finish(self, research_id: str, holder: str, outcome: Outcome) -> ResearchRun | None:
        """See Store."""
        found = await self._call(
            "finish",
            id=research_id,
            holder=holder,
            answer=None if outcome.answer is None else serialization.dump(outcome.answer),
            error=outcome.error or "",
            settlement=outcome.settlement,
            maybe=1 if outcome.may_be_billed else None,
            reusable=1 if outcome.reusable else None,
        )
        return self._row(found)

    async def cancel(self, research_id: str, scope: Scope, waiter: str | None = None) -> ResearchRun | None:
        """See Store."""
        return self._row(await self._call("cancel", id=research_id, **_scope(scope), waiter=waiter))

    async def list(self, scope: Scope, before: str | None = None, limit: int = 50) -> Sequence[ResearchRun]:
        """See Store."""
        found = await self._call("list", **_scope(scope), before=before, limit=limit)
        return self._rows(found)

    async def forget(self, scope: Scope, research_id: str | None = None) -> int:
        """See Store."""
        return int((await self._call("forget", id=research_id, **_scope(scope)))[1])

    async def charge(self, scope: Scope, model: str, price_usd: float, budget_usd: float | None) -> int:
        """See Store."""
        if not price_usd:
            return 0
        line = _charge(price_usd, budget_usd)
        found = await self._call("charge", **_scope(scope), model=model, **line)
        self._afforded(found, price_usd, budget_usd)
        return cast("int", line["line"])

    async def settle(self, charge: int, settlement: Settlement) -> None:
        """See Store."""
        await self._call("settle", line=charge, settlement=settlement)

    async def spent(self, scope: Scope, days: int = 31) -> Sequence[Spent]:
        """See Store."""
        found = await self._call("spent", **_scope(scope), days=days)
        return [line for day in found for line in _totals(day, scope.payer)]

    def _afforded(self, found: Sequence[bytes], price: float, budget: float | None) -> None:
        if found[0] == b"budget":
            raise errors.BudgetReached(budget or 0.0, int(found[1]) / 1e9, price)

    async def risks(self) -> tuple[Sequence[str], Sequence[str]]:
        """What in Redis's own settings loses answers, and what may lose some. Raises StoreFailed."""
        with self._mapped():
            self._connected()
            assert self._client is not None
            memory, disk = await self._client.info("memory"), await self._client.info("persistence")
        return _risks(memory, disk)

    async def _call(self, method: str, **given: object) -> Any:
        """Run a method of the script, without the arguments that are None. Raises StoreFailed."""
        terms = {
            "lease": _micro(LEASE_SECONDS),
            "keep": self._keep,
            "most": MAX_ATTEMPTS,
        }
        with self._mapped():
            args = [_bytes(part) for pair in {**terms, **given}.items() if pair[1] is not None for part in pair]
            return await self._connected()(keys=[self._base], args=[method, *args])

    def _connected(self) -> "AsyncScript":
        if self._script is None:
            self._client = client(self._url)
            self._script = self._client.register_script(self.source())
        return self._script

    async def take_turn(self, payer: str, per_minute: int, ahead: int) -> float:
        """Implements SharedWindow: count a request in the payer's last minute, by Redis's clock."""
        line = secrets.randbits(53)
        found = await self._call("turn", payer=payer, limit=per_minute, ahead=ahead, line=line)
        return int(found[1]) / 1e6

    def _rows(self, found: Sequence[Sequence[bytes]]) -> Sequence[ResearchRun]:
        with self._mapped():
            return [_read(row) for row in found if row[0] not in (b"none", b"budget")]

    def _row(self, found: Sequence[bytes]) -> ResearchRun | None:
        return next(iter(self._rows([found])), None)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Turn the errors of Redis's client into StoreFailed, without the URL, which may contain a password."""
        try:
            yield
        except ImportError as error:
            raise errors.StoreFailed(f"{self._failing} {_reason(error)}") from error
        except _failures() as error:
            # A ValueError may quote the URL, so it is not the cause.
            cause = None if isinstance(error, ValueError) else error
            raise errors.StoreFailed(f"{self._failing} {_reason(error)}") from cause

    @property
    def _failing(self) -> str:
        return f"The research store ({self._place}) failed:"


def _risks(memory: Mapping[str, Any], disk: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[str]]:
    faults: list[str] = []
    notes: list[str] = []
    policy = str(memory.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        evicts = f"its maxmemory-policy is {policy}, which deletes answers and ledger entries: set noeviction"
        (faults if int(memory.get("maxmemory", 0)) else notes).append(evicts)
    if not disk.get("aof_enabled"):
        notes.append("without appendonly it loses the newest answers when it stops: set appendonly yes")
    return faults, notes


def client(url: str) -> "Redis":
    """A client with short timeouts. Raises ImportError without the package, ValueError for an invalid URL."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import ConstantBackoff

    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=TURN_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=REPLY_SECONDS,
        # One retry, in case Redis closed an idle connection. Repeating a call is safe: see the script.
        retry=Retry(ConstantBackoff(0.05), 1),
    )
    return Redis.from_pool(pool)


def place(url: str) -> str:
    """The location of a URL's Redis, in words, without user, password and options."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            return f"Redis at {parts.path}"
        return f"Redis at {parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:
        return "Redis"


def _failures() -> tuple[type[Exception], ...]:
    """The errors of Redis and its connections. Called only once the package is imported."""
    from redis.exceptions import RedisError

    return RedisError, OSError, ValueError


def _reason(error: Exception) -> str:
    """Why it failed and what to do. Not the client's own words, which may quote the URL."""
    if isinstance(error, ImportError):
        return 'the redis package is missing. Install it with pip install "parallel-mcp[redis]".'
    if isinstance(error, ValueError):
        return "PARALLEL_MCP_STORE is not a usable URL, or this version cannot read a row."
    name = type(error).__name__
    said = str(error.args[0] if error.args else "").partition(" ")[0]
    return _REASONS.get(name) or _REPLIES.get(said) or f"the connection failed ({name}). Is Redis running there?"


_REASONS = {
    "AuthenticationError": "it rejected the user or password in PARALLEL_MCP_STORE.",
    "AuthorizationError": "it rejected the user or password in PARALLEL_MCP_STORE.",
    "BusyLoadingError": "it has just started and is still loading its data. Try again in a moment.",
    "MaxConnectionsError": "too many calls are using it at once. Try again in a moment.",
    "NoPermissionError": "its user may not run scripts (EVALSHA, SCRIPT LOAD) or use these keys.",
    "OutOfMemoryError": "its memory is full. Raise its maxmemory, or lower PARALLEL_MCP_RETENTION_DAYS.",
    "ReadOnlyError": "it is a read-only replica. Set PARALLEL_MCP_STORE to the primary.",
    "TimeoutError": f"it did not answer within {REPLY_SECONDS:g} s.",
}
"""By the name of the client's error."""

_REPLIES = {
    "MISCONF": "it cannot write its data to disk. See Redis's log.",
    "NOAUTH": "it requires a password: add it to PARALLEL_MCP_STORE.",
    "WRONGPASS": "it rejected the user or password in PARALLEL_MCP_STORE.",
    "NOREPLICAS": "it has too few replicas to accept writes.",
    "MOVED": "it is a cluster, which this store cannot use.",
    "CLUSTERDOWN": "it is a cluster, which this store cannot use.",
}
"""By the first word of Redis's reply."""


def _micro(seconds: float) -> int:
    return round(seconds * 1e6)


def _scope(scope: Scope) -> dict[str, str]:
    return {"caller": scope.caller, "payer": scope.payer, "origin": scope.origin}


def _charge(price: float, budget: float | None) -> dict[str, int | None]:
    """A charge as the script takes it. Its number is made here, so that a repeated call has the same one."""
    return {
        "price": round(price * 1e9),
        "budget": None if budget is None else round(budget * 1e9),
        "line": secrets.randbits(53),
    }


def _bytes(value: object) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "surrogatepass")


def _time(value: bytes | None) -> float | None:
    return None if value is None else int(value) / 1e6


def _read(found: Sequence[bytes]) -> ResearchRun:
    _, now, research_id, caller, payer, origin, question, status, created, attempts, *rest = found
    holder, due, finished, error, maybe, cost, answer = rest
    return ResearchRun(
        research_id=_text(research_id) or "",
        scope=Scope(_text(caller) or "", _text(payer) or "", _text(origin) or ""),
        question=serialization.load_question(question),
        status=cast("Status", status.decode()),
        created_at=_time(created) or 0.0,
        attempts=int(attempts),
        holder=_text(holder),
        due=_time(due),
        finished_at=_time(finished),
        answer=serialization.load_answer(answer) if answer else None,
        error=_text(error),
        may_be_billed=maybe == b"1",
        cost_usd=max(int(cost) / 1e9, 0.0),
        read_at=_time(now) or 0.0,
    )


def _totals(found: Sequence[bytes], payer: str) -> Iterator[Spent]:
    """A day's totals by model. An empty payer matches all."""
    day = datetime.fromtimestamp(int(found[0]) * DAY_SECONDS, UTC).strftime("%Y-%m-%d")
    sums: dict[str, dict[str, int]] = {}
    for name, value in zip(found[1::2], found[2::2], strict=True):
        whose, model, what = (_text(name) or "").rsplit("\n", 2)
        if payer in (whose, ""):
            total = sums.setdefault(model, {"requests": 0, "usd": 0, "maybe": 0})
            total[what] += int(value)
    for model, total in sorted(sums.items()):
        if total["requests"]:
            yield Spent(day, model, total["requests"], total["usd"] / 1e9, total["maybe"] / 1e9)
