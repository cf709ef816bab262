"""Checks settings, key, proxy, certificates, endpoint and store, in the order in which a call needs them."""

import platform
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.metadata import version
from urllib.parse import urlsplit

from parallel_mcp import errors
from parallel_mcp.client import open_http, probe
from parallel_mcp.client.route import certificate_fault, is_loopback, route_to
from parallel_mcp.doctor.finding import Finding
from parallel_mcp.doctor.places import store_finding
from parallel_mcp.errors import UpstreamError
from parallel_mcp.settings import Settings

# Variables in which other programs, but not Python, look for certificates.
_OTHERS_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")


async def examine(
    settings: Settings, fault: str | None, warnings: Sequence[str], environ: Mapping[str, str]
) -> AsyncIterator[Finding]:
    """Check everything that can be checked for free. `fault` describes invalid settings, which were left out."""
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    yield Finding("version", "ok", f"parallel-mcp {version('parallel-mcp')}, {system}")
    yield _settings(fault, warnings)
    yield _key(settings)
    if not settings.sandbox:
        yield _proxy(settings.base_url)
        yield _certificates(settings.base_url, environ)
        yield await _endpoint(settings)
    yield await store_finding(settings)


def _settings(fault: str | None, warnings: Sequence[str]) -> Finding:
    if fault is not None:
        return Finding("settings", "fail", "; ".join([fault, *warnings]))
    return Finding("settings", "note" if warnings else "ok", "; ".join(warnings) or "all understood")


def _key(settings: Settings) -> Finding:
    if settings.sandbox:
        return Finding("key", "note", "not needed: the sandbox answers from local documents, never from the web")
    if settings.bring_your_own_key:
        return Finding("key", "ok", "each caller brings their own")
    if settings.api_key is None:
        return Finding("key", "fail", str(errors.KeyMissing(settings.key_fault)))
    return Finding("key", "ok", f"set, {len(settings.api_key.get_secret_value())} characters")


def _proxy(base_url: str) -> Finding:
    """The proxy that is used, without its user and password."""
    host = urlsplit(base_url).hostname or ""
    try:
        proxy = route_to(base_url).proxy
    except errors.ConnectFailed as failed:
        if "PROXY" in failed.detail:
            return Finding("proxy", "fail", failed.detail)
        return Finding("proxy", "note", "not checked, because the certificates cannot be used")
    if proxy is not None:
        return Finding("proxy", "note", f"{host} is reached through {proxy.url.scheme}://{proxy.url.netloc.decode()}")
    return Finding("proxy", "ok", "none for this machine itself" if is_loopback(host) else f"none for {host}")


def _certificates(base_url: str, environ: Mapping[str, str]) -> Finding:
    if urlsplit(base_url).scheme == "http":
        return Finding("certificates", "ok", "none are needed for plain http")
    named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name)]
    faults = [fault for fault in map(certificate_fault, named) if fault]
    if faults:
        return Finding("certificates", "fail", "; ".join(faults))
    others = [name for name in _OTHERS_CERTIFICATES if environ.get(name)]
    if others and not named:
        words = (
            f"{', '.join(others)} is not read here: if a company's proxy needs it, set SSL_CERT_FILE to the same file"
        )
        return Finding("certificates", "note", words)
    return Finding("certificates", "ok", f"those of {named[0]}" if named else "the system's own")


async def _endpoint(settings: Settings) -> Finding:
    """Send an empty request. It costs nothing, and the refusal shows whether the key is valid."""
    where = urlsplit(settings.base_url).netloc
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    async with open_http(settings.base_url) as http:
        status, refused = await probe(http, key)
    if status in (400, 422) or (status == 401 and not key):
        taken = "; it accepts the key" if key else "; there was no key to check"
        return Finding("endpoint", "ok", f"{where} can be reached{taken}")
    if refused is None:
        return Finding("endpoint", "fail", f"{where} answers an empty request with {status}: it is not a Chat API")
    return Finding("endpoint", "fail", f"{where}: {what_happened(refused)}")


def what_happened(refused: UpstreamError) -> str:
    """A refusal without its advice, which is meant for a question that may have been paid for."""
    status = f" (HTTP {refused.status})" if refused.status else ""
    detail = f": {refused.detail.rstrip('.')}" if refused.detail else ""
    reference = f". Parallel's reference for support: {refused.ref_id}" if refused.ref_id else ""
    return f"{refused.headline}{status}{detail}{reference}"
