"""The command line: the only room that reads the environment, writes for people and ends the process.

What only one command needs is imported inside it, so that `--help` and the server load nothing they do not use.
"""

import signal
from collections.abc import Sequence
from typing import Any

INTERRUPTED = 130
"""The exit status after Ctrl-C, as in a shell."""


def main(args: Sequence[str] | None = None, **settings: Any) -> Any:
    """Run the command line and end the process. `args` default to those of the process.

    Until its imports are done, `__main__` handles Ctrl-C.
    """
    from parallel_mcp.cli.group import main as group

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return group.main(args, **settings)


__all__ = ["INTERRUPTED", "main"]
