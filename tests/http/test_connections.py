"""Connections that send nothing, or send slowly, to a real process with few file descriptors."""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from parallel_mcp.cli.logs import PER_MINUTE
from tests.support.hostile_targets import Port, port

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")

LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (700, 700))
from parallel_mcp.http import connections
connections.HEADER_SECONDS = {seconds}
from parallel_mcp.cli.group import main
main()
"""
DESCRIPTORS = 700


@contextmanager
def limited(folder: Path, upstream_url: str, seconds: float) -> Iterator[Port]:
    """The service as a process that may open 700 files, with this deadline for headers."""
    program = ("-c", LIMITED.format(seconds=seconds))
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


def _is_closed(connection: socket.socket) -> bool:
    """Wait for the end of the connection. Raises TimeoutError if it stays open."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True
