"""The HTTP client of a process: certificates, proxies, connections.

httpx2's own transport is used only with proxies. Its pool looks at every connection whenever a request begins or ends,
which is quadratic in the number in flight, and its parser is in Python. With 100 in flight, a request over aiohttp,
whose parser is in C, takes a third of the CPU (benchmarks/transport.py).
"""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx2
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from parallel_mcp.client.route import no_way, route_to
from parallel_mcp.errors import ConnectFailed

CONNECT_SECONDS = 10.0

IDLE_SECONDS = 2.0
"""How long an idle connection is kept: less than servers do (5 s is common), because a request on a connection
that is being closed is lost, and may be billed."""

_ENCODINGS = ("gzip", "deflate")

_PART_BYTES = 16 * 1024
"""How much of a body is decompressed at a time, which yields at most 16 MB."""

SENT = "sent"
"""The request extension with the function to call when the request leaves."""

AT_END = "at_end"
"""The response extension with the function that says whether its body has arrived and been read."""


def open_http(base_url: str) -> httpx2.AsyncClient:
    """Open the HTTP client of a process. Connections are not limited: pacing is the only limit.

    Proxies and certificates come from the environment; if they cannot be used, each request raises the
    ConnectFailed that says so. Redirects are not followed, because they would send the key to another
    host; cookies are not kept, because they would link one caller's requests to another's.
    """
    return httpx2.AsyncClient(
        base_url=base_url,
        transport=_transport(base_url),
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"user-agent": "parallel-mcp", "accept-encoding": ", ".join(_ENCODINGS)},
        event_hooks={"response": [_encoded_once]},
        trust_env=False,
    )


async def _encoded_once(response: httpx2.Response) -> None:
    """Raise DecodingError for other encodings: a kilobyte that was compressed twice can unpack to a gigabyte."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity", *_ENCODINGS):
        raise httpx2.DecodingError("the encoding is not accepted")


def _transport(base_url: str) -> httpx2.AsyncBaseTransport:
    try:
        route = route_to(base_url)
    except ConnectFailed as failed:
        return NoWay(failed.detail)
    if route.proxy is None:
        return AiohttpTransport(route.certificates)
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=IDLE_SECONDS)
    return httpx2.AsyncHTTPTransport(verify=route.certificates, proxy=route.proxy, limits=limits, trust_env=False)


class NoWay(httpx2.AsyncBaseTransport):
    """The transport if no connection can be made: every request raises the reason."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raise ConnectFailed."""
        raise no_way(self._why)


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """httpx2's transport interface over aiohttp. aiohttp adds no headers, keeps no cookies and follows no redirects."""

    def __init__(self, certificates: ssl.SSLContext) -> None:
        self._certificates = certificates
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request whose body is in memory. The response's body is not read yet."""
        session = self._opened()
        content = request.read()
        body = _Sent(content, request.extensions.get(SENT)) if content else None
        with _mapped():
            response = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
                data=body,
                allow_redirects=False,
            )
        at_end = {AT_END: response.content.at_eof}
        return httpx2.Response(response.status, headers=response.raw_headers, stream=_Body(response), extensions=at_end)

    def _opened(self) -> aiohttp.ClientSession:
        """The session, opened on first use, because aiohttp needs a running loop."""
        if self._session is None:
            self._certificates.set_alpn_protocols(["http/1.1"])
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=self._certificates),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("accept", "accept-encoding", "user-agent"),
                auto_decompress=False,
            )
        return self._session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()


class _Sent(aiohttp.BytesPayload):
    """A request's body, which reports when it leaves; the head leaves with it."""

    def __init__(self, body: bytes, leaving: Callable[[], None] | None) -> None:
        super().__init__(body)
        self._leaving = leaving

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if self._leaving is not None:
            self._leaving()
        await super().write_with_length(writer, content_length)


class _Body(httpx2.AsyncByteStream):
    """A response's body as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _mapped():
            while part := await self._response.content.read(_PART_BYTES):
                yield part

    async def aclose(self) -> None:
        """Return the connection to the pool if the body was read to its end; otherwise close it."""
        self._response.release()


@contextmanager
def _mapped() -> Iterator[None]:
    """Map aiohttp's errors to httpx2's."""
    try:
        yield
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise httpx2.UnsupportedProtocol("aiohttp cannot request this URL") from error
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx2.ConnectTimeout("no connection in time") from error
    except aiohttp.ClientConnectorCertificateError as error:
        raise httpx2.ConnectError("its certificate was not accepted") from error.certificate_error
    except aiohttp.ClientConnectorError as error:
        raise httpx2.ConnectError("no connection") from error
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientResponseError) as error:
        raise httpx2.RemoteProtocolError("the response ended early or is not HTTP") from error
    except aiohttp.ClientError as error:
        raise httpx2.ReadError("the connection broke") from error
