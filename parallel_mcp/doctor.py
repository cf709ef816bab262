"""What keeps this server from working, and what to do about it. Shows no key; spends nothing."""

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from parallel_mcp import errors
from parallel_mcp.client import open_http, probe
from parallel_mcp.errors import StoreFailed
from parallel_mcp.research import Scope
from parallel_mcp.server import open_store
from parallel_mcp.settings import Settings

Verdict = Literal["ok", "note", "fail"]

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: its name, how it is, and in words what to do."""

    what: str
    verdict: Verdict
    words: str


async def examine(settings: Settings, environ: Mapping[str, str] | None = None) -> AsyncIterator[Finding]:
    """Key, endpoint, proxy, certificates and store, in the order in which a call needs them."""
    environ = os.environ if environ is None else environ
    yield _key(settings)
    yield _variables("proxy", PROXIES, environ)
    yield _certificates(environ)
    if not settings.sandbox:
        yield await _endpoint(settings)
    yield await _store(settings)


def _key(settings: Settings) -> Finding:
    if settings.sandbox:
        return Finding("key", "note", "not needed: the sandbox answers from local documents, never from the web")
    if settings.bring_your_own_key:
        return Finding("key", "ok", "each caller brings their own")
    if settings.api_key is None:
        return Finding("key", "fail", str(errors.KeyMissing()))
    return Finding("key", "ok", "PARALLEL_API_KEY is set")


def _variables(what: str, names: tuple[str, ...], environ: Mapping[str, str]) -> Finding:
    """Which variables are set, not to what: proxy URLs hold passwords."""
    found = [name for name in names if environ.get(name) or environ.get(name.lower())]
    return Finding(what, "note" if found else "ok", f"set: {', '.join(found)}" if found else "none set")


def _certificates(environ: Mapping[str, str]) -> Finding:
    missing = [name for name in CERTIFICATES if environ.get(name) and not os.path.exists(environ[name])]
    if missing:
        return Finding("certificates", "fail", f"{', '.join(missing)} names something that is not there")
    found = _variables("certificates", CERTIFICATES, environ)
    return Finding("certificates", "ok", found.words if found.verdict == "note" else "the system's own are used")


async def _endpoint(settings: Settings) -> Finding:
    """Send a request with nothing in it: it costs nothing, and the refusal tells whether the key is good."""
    where = urlsplit(settings.base_url).netloc
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    try:
        async with open_http(settings.base_url) as http:
            status, refused = await probe(http, key)
    except errors.UpstreamError as error:
        status, refused = None, error
    if status in (400, 422) or (status == 401 and not key):
        taken = "; it accepts the key" if key else "; the key could not be tried"
        return Finding("endpoint", "ok", f"{where} can be reached{taken}")
    if refused is None:
        return Finding("endpoint", "fail", f"{where} answers an empty request with {status}: it is no Chat API")
    return Finding("endpoint", "fail", f"{where}: {refused}")


async def _store(settings: Settings) -> Finding:
    try:
        async with open_store(settings) as store:
            await store.list(Scope("local", "", ""), limit=1)
    except StoreFailed as error:
        return Finding("store", "fail", str(error))
    return _kept(settings.store_url)


def _kept(store: str) -> Finding:
    """How a store that works keeps what is in it."""
    if store == "memory:":
        return Finding("store", "note", "memory: research is gone when the process ends")
    if "://" in store:
        return Finding("store", "ok", f"{urlsplit(store).scheme} can be read and written")
    path = Path(store).expanduser()
    # Windows has access lists instead.
    if os.name == "posix" and path.stat().st_mode & 0o077:
        return Finding("store", "note", f"{path} works, but others on this machine may use it: chmod 600 {path}")
    return Finding("store", "ok", f"{path} can be read and written")
