"""Connections that send nothing, or send slowly, to a real process with few file descriptors."""

import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from parallel_mcp.cli.logs import PER_MINUTE
from parallel_mcp.http.serving import listening
from tests.support.hostile_targets import Port, port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")

LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors}, {descriptors}))
from parallel_mcp.http import connections, serving
serving.SEND_BUFFER_BYTES = 4096
connections.HEADER_SECONDS = {seconds}
connections.TRANSFER_SECONDS = {transfer}
from parallel_mcp.cli.group import main
main()
"""
DESCRIPTORS = 700


def test_responses_leave_at_once() -> None:
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@contextmanager
def limited(
    folder: Path, upstream_url: str, seconds: float, transfer: float = 3600, descriptors: int = DESCRIPTORS
) -> Iterator[Port]:
    """The service as a process that may open so many files, with deadlines for headers, and for bodies and readers."""
    program = ("-c", LIMITED.format(seconds=seconds, transfer=transfer, descriptors=descriptors))
    with port(folder, upstream_url, "http", "--store", "memory:", program=program) as target:
        yield target


def opened(target: Port, stack: ExitStack) -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", target.port), timeout=20))
    return connection


def test_more_idle_connections_than_descriptors_keep_nobody_out_and_fill_no_log(
    tmp_path: Path, upstream_url: str
) -> None:
    with limited(tmp_path, upstream_url, seconds=3600) as target, ExitStack() as stack:
        first = opened(target, stack)
        for _ in range(1100):
            opened(target, stack)
        status, _, _ = target.request("GET", "/healthz", b"", {})
        assert status == 200
        # The oldest silent one was closed.
        assert _is_closed(first)
        # Two places in the code log it.
        assert 0 < len(re.findall(r"(?m)^\S+ \S+ [A-Z]+ ", (tmp_path / "log").read_text())) <= 2 * PER_MINUTE


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"])
def test_a_connection_that_does_not_finish_its_headers_is_closed(
    tmp_path: Path, upstream_url: str, sent: bytes
) -> None:
    with limited(tmp_path, upstream_url, seconds=0.2) as target, ExitStack() as stack:
        connection = opened(target, stack)
        connection.sendall(sent)
        assert _is_closed(connection)


def test_headers_of_a_second_request_have_a_deadline_too(tmp_path: Path, upstream_url: str) -> None:
    with limited(tmp_path, upstream_url, seconds=0.2) as target, ExitStack() as stack:
        connection = opened(target, stack)
        connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert _is_closed(connection)


BODY = b"\r\n".join(
    [
        *(b"POST /mcp HTTP/1.1", b"host: localhost", b"content-type: application/json"),
        *(b"content-length: 99", b"expect: 100-continue", b"", b"{"),
    ]
)
PAGES = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n" * 150


def test_a_body_that_does_not_come_has_a_deadline(tmp_path: Path, upstream_url: str) -> None:
    with limited(tmp_path, upstream_url, seconds=3600, transfer=0.2) as target, ExitStack() as stack:
        connection = opened(target, stack)
        connection.sendall(BODY)
        assert _is_closed(connection)


def test_who_reads_nothing_has_a_deadline(tmp_path: Path, upstream_url: str) -> None:
    with limited(tmp_path, upstream_url, seconds=3600, transfer=0.2) as target, ExitStack() as stack:
        connection = stack.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", target.port))
        connection.sendall(PAGES)
        connection.settimeout(0.1)
        until = time.monotonic() + 20
        with pytest.raises(ConnectionError):
            while time.monotonic() < until:
                with suppress(TimeoutError):
                    connection.send(b"G")


def test_connections_that_stall_after_their_headers_keep_nobody_out(tmp_path: Path, upstream_url: str) -> None:
    # That makes 16 connections.
    with limited(tmp_path, upstream_url, seconds=3600, descriptors=288) as target, ExitStack() as stack:
        for _ in range(20):
            connection = opened(target, stack)
            connection.sendall(BODY)
            # The server has come to it.
            with suppress(ConnectionError):
                connection.recv(1)
        until = time.monotonic() + 20
        while not _serves(target):
            assert time.monotonic() < until


def _serves(target: Port) -> bool:
    try:
        return target.request("GET", "/healthz", b"", {})[0] == 200
    except ConnectionError:
        return False


def _is_closed(connection: socket.socket) -> bool:
    """Wait for the end of the connection. Raises TimeoutError if it stays open."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True
