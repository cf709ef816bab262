"""The route to an endpoint: which proxy to use, and which certificates to trust.

Both come from variables that are shared with other programs. A call that needs an unusable one names it; everything
else keeps working.
"""

import ipaddress
import os
import ssl
import urllib.request
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from parallel_mcp import errors

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")

_PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")

# GNOME writes "socks" for SOCKS 5. With either name, as with "socks5", the proxy resolves host names.
_SOCKS = ("socks", "socks5h")


@dataclass(frozen=True, slots=True)
class Route:
    """How to reach one endpoint: the certificates to trust, and the proxy to use, if any."""

    certificates: ssl.SSLContext
    proxy: httpx2.Proxy | None


def route_to(base_url: str) -> Route:
    """The route to an endpoint, from environment variables and the system's settings.

    Raises ConnectFailed, which names the unusable variable and does not show its value.
    """
    parts = urlsplit(base_url)
    return Route(_certificates(parts.scheme), _proxy(parts.scheme, parts.hostname or ""))


def _proxy(scheme: str, host: str) -> httpx2.Proxy | None:
    """The proxy, or None for this machine itself, because a proxy would look for the endpoint on its own machine."""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    kind = next((kind for kind in (scheme, "all") if proxies.get(kind, "").strip()), None)
    return None if kind is None else _read(f"{kind.upper()}_PROXY", proxies[kind])


def _read(variable: str, value: str) -> httpx2.Proxy:
    """The proxy that a variable names, without surrounding quotes and whitespace."""
    value = value.strip().strip("\"'").strip()
    scheme, mark, rest = value.partition("://")
    if not mark:
        scheme, rest = "http", value
    scheme = "socks5" if scheme.lower() in _SOCKS else scheme.lower()
    if scheme not in _PROXY_SCHEMES:
        raise no_way(f"{variable} names a kind of proxy that is not supported: write http://, https:// or socks5://")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0) and "$" not in parts.netloc
        proxy = httpx2.Proxy(f"{scheme}://{parts.netloc}")
    except (ValueError, httpx2.InvalidURL):
        usable = False
    if not usable:
        raise no_way(f"{variable} is not the URL of a proxy: write it as http://HOST:PORT or socks5://HOST:PORT")
    return proxy


def _certificates(scheme: str) -> ssl.SSLContext:
    if scheme == "http":
        # Trusts nobody, and loads nothing that may be missing.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = httpx2.create_ssl_context()
    except (OSError, ssl.SSLError):
        variable = next(name for name in CERTIFICATES if os.environ.get(name))
        raise no_way(certificate_fault(variable) or f"{variable} does not name usable certificates") from None
    if os.environ.get("SSL_CERT_DIR") and not os.environ.get("SSL_CERT_FILE"):
        fault = certificate_fault("SSL_CERT_DIR")
        if fault:
            raise no_way(fault)
    return context


def certificate_fault(variable: str) -> str | None:
    """What is wrong with the certificates that a variable names, or None if they can be used."""
    value = os.environ.get(variable)
    if not value:
        return None
    if not os.path.exists(value):
        return f"{variable} names a path that does not exist: correct it, or remove it to use the system's own"
    if variable == "SSL_CERT_DIR":
        return None if os.path.isdir(value) else f"{variable} does not name a folder: correct it, or remove it"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
    except (OSError, ssl.SSLError):
        return f"{variable} names a file without certificates in PEM form: correct it, or remove it"
    return None


def is_loopback(host: str) -> bool:
    """Whether a host name or address is that of this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def no_way(why: str) -> errors.ConnectFailed:
    """The error for a connection that cannot be made until the configuration changes."""
    failed = errors.ConnectFailed(why)
    failed.lasting = True
    return failed
