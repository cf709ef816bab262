"""A real redis-server in its own folder, with its append-only file on."""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis


class RedisServer:
    """It can be killed and restarted, on the same port and with the data it had written."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        """Over TCP."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """Over a Unix socket."""
        return f"unix://{self._folder}/socket"

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        command += ["--unixsocket", f"{self._folder}/socket", "--save", "", "--logfile", "log"]
        command += ["--appendonly", "yes", "--appendfsync", "always", *self._options]
        self._process = subprocess.Popen(command)
        until = time.monotonic() + 20
        with redis.Redis.from_url(self.socket_url) as client:
            while time.monotonic() < until:
                with contextlib.suppress(redis.ConnectionError):
                    client.ping()
                    return
                time.sleep(0.02)
        raise RuntimeError(f"redis-server did not start: {(self._folder / 'log').read_text()[-500:]}")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It accepts connections but does not respond any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """After a pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it, if it is running."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


@contextmanager
def redis_running(*options: str) -> Iterator[RedisServer]:
    """A server for the duration of the block. Skips the test if redis-server is not installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    # Not in pytest's folders: the path of a Unix socket may have 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
