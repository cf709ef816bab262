"""The HTTP client of a process: certificates, proxies, connections."""

import time
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from parallel_mcp.client.route import Route, no_way, route_to
from parallel_mcp.errors import ConnectFailed

CONNECT_SECONDS = 10.0

SWEEP_SECONDS = 5.0
"""How often the connections of lanes that are not in use are looked at."""


# Idle connections are few, because each is looked at whenever a request ends; and they are kept shorter than a server
# keeps them (5 s is common), because a request on one that is just being closed is lost, and may be billed.
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=2.0)


def open_http(base_url: str) -> httpx2.AsyncClient:
    """The one HTTP client of a process. No limit on connections: pacing is the only limit.

    Proxies and certificates are those of the environment; where they cannot be used, each request
    raises the ConnectFailed that says so. Redirects are not followed, for they would carry the key to
    another host; cookies are not kept, for they would tie one caller's requests to another's.
    """
    return httpx2.AsyncClient(
        base_url=base_url,
        transport=_transport(base_url),
        limits=_LIMITS,
        timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS),
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"user-agent": "parallel-mcp"},
        trust_env=False,
    )


def _transport(base_url: str) -> httpx2.AsyncBaseTransport:
    try:
        route = route_to(base_url)
    except ConnectFailed as failed:
        return NoWay(failed.detail)
    return Lanes(route)


class NoWay(httpx2.AsyncBaseTransport):
    """Stands where no connection can be made: what keeps it from being made is every request's error."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raise ConnectFailed."""
        raise no_way(self._why)


class Lanes(httpx2.AsyncBaseTransport):
    """Many small pools of connections in place of a large one.

    A pool looks at each of its connections whenever a request begins or ends, so that the work grows
    with the square of what is under way at once.
    """

    def __init__(self, route: Route, lanes: int = 16, most_waiting: int = 20) -> None:
        self.lanes = [
            httpx2.AsyncHTTPTransport(verify=route.certificates, proxy=route.proxy, limits=_LIMITS, trust_env=False)
            for _ in range(lanes)
        ]
        self._waiting = [0] * lanes
        self._most_waiting = most_waiting
        self._swept = time.monotonic()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it by the first lane that is not full, so that connections are used again; else by the emptiest."""
        free = (lane for lane, waiting in enumerate(self._waiting) if waiting < self._most_waiting)
        lane = next(free, self._waiting.index(min(self._waiting)))
        self._waiting[lane] += 1
        try:
            await self._sweep()
            return await self.lanes[lane].handle_async_request(request)
        finally:
            self._waiting[lane] -= 1

    async def _sweep(self) -> None:
        """Now and then close what has expired, in every lane: a pool looks at its own only when it is used."""
        if time.monotonic() - self._swept < SWEEP_SECONDS:
            return
        self._swept = time.monotonic()
        for lane in self.lanes:
            for connection in lane._pool.connections:
                if connection.has_expired():
                    await connection.aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        for lane in self.lanes:
            await lane.aclose()
