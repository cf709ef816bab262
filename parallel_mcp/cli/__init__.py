"""The command line: the one room that reads the environment, writes for people and ends the process.

What only one command needs is imported inside it, so that `--help` and a server load nothing in vain.
"""

import os
import signal
from collections.abc import Sequence
from typing import Any

INTERRUPTED = 130
"""The exit status after Ctrl-C, as a shell gives it."""


def main(args: Sequence[str] | None = None, **settings: Any) -> Any:
    """Do what the command line says, and end the process. `args` are those of the process unless given."""
    signal.signal(signal.SIGINT, _stop)
    from parallel_mcp.cli.group import main as group

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return group.main(args, **settings)


def _stop(*_: object) -> None:
    """End without a traceback while what a command needs is still being imported."""
    os.write(2, b"\nparallel-mcp: stopped\n")
    os._exit(INTERRUPTED)


__all__ = ["INTERRUPTED", "main"]
