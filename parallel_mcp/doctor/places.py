"""Checks the store: whether it can be read and written, and how safe its contents are."""

import os
import shutil
from pathlib import Path

from parallel_mcp.doctor.finding import Finding
from parallel_mcp.errors import StoreFailed
from parallel_mcp.research import Scope
from parallel_mcp.server import open_store
from parallel_mcp.settings import Settings
from parallel_mcp.stores.redis import RedisStore, place

_LITTLE_BYTES = 100_000_000


async def store_finding(settings: Settings) -> Finding:
    """Open the store, read it and write to it."""
    url = settings.store_url
    try:
        async with open_store(settings) as store:
            await store.list(Scope("local", "", ""), limit=1)
            await store.check()
            if isinstance(store, RedisStore):
                return await _redis_finding(store, place(url))
    except StoreFailed as error:
        return Finding("store", "fail", str(error))
    if url == "memory:":
        return Finding("store", "note", "memory: research runs are lost when the process ends")
    return _kept_in_file(url)


async def _redis_finding(store: RedisStore, where: str) -> Finding:
    try:
        faults, notes = await store.risks()
    except StoreFailed:
        faults, notes = [], ["its settings could not be read, so they are not checked: let the user run INFO (+info)"]
    return _found(where, [*faults, *notes], failed=bool(faults))


def _kept_in_file(url: str) -> Finding:
    path = Path(os.path.expanduser(url.removeprefix("sqlite:///")))
    return _found(str(path), _risks_of_file(path), failed=False)


def _found(where: str, risks: list[str], *, failed: bool) -> Finding:
    words = f"{where} can be read and written"
    if not risks:
        return Finding("store", "ok", words)
    return Finding("store", "fail" if failed else "note", f"{words}, but {'; '.join(risks)}")


def _risks_of_file(path: Path) -> list[str]:
    risks = []
    # Windows has access lists instead.
    if os.name == "posix" and path.stat().st_mode & 0o077:
        risks.append(f"other users of this machine can access it: chmod 600 {path}")
    if not path.is_absolute():
        risks.append(f"it is a different file in each folder a host starts this server in: write {path.resolve()}")
    if shutil.disk_usage(path.resolve().parent).free < _LITTLE_BYTES:
        risks.append("the disk is nearly full, and an answer that cannot be stored is lost with the process")
    return risks
