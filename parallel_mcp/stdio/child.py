"""An engine as its front sees it: a process, three pipes and the calls it is working on. Standard library only."""

from __future__ import annotations

import os
import subprocess
import threading

from parallel_mcp.stdio import pipes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

LAST_WORDS = 600
DRAIN_SECONDS = 0.5


class Call:
    """A request that was passed to the engine. `line` identifies it while it may still be waiting to be written."""

    __slots__ = ("line", "method", "modern", "number", "tool")

    def __init__(self, number: int | str, method: str, tool: str, *, modern: bool, line: bytes) -> None:
        self.number = number
        self.method = method
        self.tool = tool
        self.modern = modern
        self.line = line


class Child:
    """One engine, in a separate session. Nothing is written to it before `ready` is set and `input` released.

    `heard` receives its lines, and `ended` is called when its stdout ends; both run on a thread of this engine.
    Raises OSError if no process can be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        stderr: pipes.Writer,
        heard: Callable[[Child, list[bytes]], None],
        ended: Callable[[Child], None],
    ) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.ready = False
        self.gone = False
        self.calls: dict[tuple[type, int | str], Call] = {}
        self.input = pipes.Writer(_taken(self.process.stdin), held=True, eager=True)
        self._last_words = b""
        self._drained = threading.Thread(target=self._drain, args=(_taken(self.process.stderr), stderr), daemon=True)
        self._drained.start()
        arguments = (_taken(self.process.stdout), heard, ended)
        threading.Thread(target=self._listen, args=arguments, daemon=True).start()

    def last_words(self) -> str:
        """The last line of its stderr, after it has ended."""
        self._drained.join(DRAIN_SECONDS)
        lines = self._last_words.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _listen(self, stdout: int, heard: Callable[[Child, list[bytes]], None], ended: Callable[[Child], None]) -> None:
        for batch in pipes.lines(stdout):
            heard(self, batch)
        os.close(stdout)
        ended(self)
        self.input.close()
        self.process.wait()

    def _drain(self, stderr: int, to: pipes.Writer) -> None:
        """Pass its stderr on without ever blocking it: what nobody reads is dropped."""
        while data := pipes.read(stderr):
            self._last_words = (self._last_words + data)[-LAST_WORDS:]
            to.put(data, most=64)
        os.close(stderr)


def _taken(pipe: IO[bytes] | None) -> int:
    """A duplicate of a pipe's descriptor, which the garbage collector does not close."""
    assert pipe is not None
    fd = os.dup(pipe.fileno())
    pipe.close()
    return fd
