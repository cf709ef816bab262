"""Proxies and certificates in the forms that desktops, shells and hosts leave in the environment."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from parallel_mcp.client import open_http, probe
from parallel_mcp.client.route import route_to
from parallel_mcp.errors import ConnectFailed
from tests.support.upstream import Upstream, self_made_certificate

pytestmark = pytest.mark.anyio

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
AWAY = "https://api.parallel.ai"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *(name.lower() for name in PROXIES), "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Socks:
    """A SOCKS 5 proxy (RFC 1928, CONNECT to a name) that always connects to `port`."""

    port: int
    to: int
    asked: list[str] = field(default_factory=list)

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            read = BufferedByteReceiveStream(stream)
            _, methods = await read.receive_exactly(2)
            await read.receive_exactly(methods)
            await stream.send(b"\x05\x00")
            _, _, _, kind, length = await read.receive_exactly(5)
            assert kind == 3
            self.asked.append((await read.receive_exactly(length + 2))[:-2].decode())
            await stream.send(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            async with await anyio.connect_tcp("127.0.0.1", self.to) as far, anyio.create_task_group() as both:
                both.start_soon(_copy, read, far)
                await _copy(far, stream)
                both.cancel_scope.cancel()


async def _copy(source: object, sink: SocketStream) -> None:
    try:
        while True:
            await sink.send(await source.receive())  # type: ignore[attr-defined]
    except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass


@asynccontextmanager
async def socks_proxy(to: str) -> AsyncIterator[Socks]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    proxy = Socks(port, int(to.rsplit(":", 1)[1]))
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy.serve)
        yield proxy
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    "value",
    [
        "socks5://127.0.0.1:{}",
        "socks5h://127.0.0.1:{}",
        "socks://127.0.0.1:{}/",  # GNOME's and Clash's
        '"socks5://127.0.0.1:{}"',
        "socks5://127.0.0.1:{}\n",
        "SOCKS5://127.0.0.1:{}",
    ],
)
async def test_a_socks_proxy_is_gone_through(value: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    async with socks_proxy(upstream.url) as proxy:
        monkeypatch.setenv("all_proxy", value.format(proxy.port))
        async with open_http("http://api.parallel.invalid") as http:
            await probe(http, "key")
    assert proxy.asked == ["api.parallel.invalid"]
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "socks4://127.0.0.1:1080", "ALL_PROXY names a kind of proxy"),
        ("ALL_PROXY", "socks5://127.0.0.1:port", "ALL_PROXY is not the URL"),
        ("HTTPS_PROXY", "http://user:sk-planted@127.0.0.1:99999", "HTTPS_PROXY is not the URL"),
        ("HTTPS_PROXY", "${HTTPS_PROXY}", "HTTPS_PROXY is not the URL"),
        ("HTTPS_PROXY", "http://", "HTTPS_PROXY is not the URL"),
        ("https_proxy", "http://[::1", "HTTPS_PROXY is not the URL"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_named_by_the_call(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    async with open_http(AWAY) as http:
        status, failed = await probe(http, "key")
    assert status is None
    assert isinstance(failed, ConnectFailed)
    assert failed.lasting
    assert said in str(failed)
    assert "sk-planted" not in str(failed)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_this_machine_is_never_asked_through_a_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:port")
    assert route_to(f"http://{name}:8787").proxy is None


def test_a_proxy_is_not_read_where_another_variable_makes_it_needless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://")
    monkeypatch.setenv("NO_PROXY", "example.com,.parallel.ai")
    assert route_to(AWAY).proxy is None
    monkeypatch.setenv("NO_PROXY", "*")
    assert route_to(AWAY).proxy is None
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    proxy = route_to(AWAY).proxy
    assert proxy is not None
    assert str(proxy.url) == "http://proxy.example:3128"


async def test_certificates_that_cannot_be_used_are_named_by_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: Upstream
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for name, value, said in (
        ("SSL_CERT_FILE", tmp_path / "none.pem", "does not exist"),
        ("SSL_CERT_FILE", empty, "without certificates"),
        ("SSL_CERT_FILE", tmp_path, "without certificates"),
        ("SSL_CERT_DIR", tmp_path / "none", "does not exist"),
        ("SSL_CERT_DIR", empty, "not name a folder"),
    ):
        with monkeypatch.context() as patched:
            patched.setenv(name, str(value))
            async with open_http(AWAY) as http:
                _, failed = await probe(http, "key")
            assert name in str(failed)
            assert said in str(failed)
            async with open_http(upstream.url) as http:
                assert (await probe(http, "key"))[0] == 422


def test_certificates_of_ones_own_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(self_made_certificate(tmp_path)))
    context = route_to(AWAY).certificates
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 1
