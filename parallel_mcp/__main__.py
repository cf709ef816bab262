"""`parallel-mcp` and `python -m parallel_mcp`: starts the front at once, and the command line for all else."""

import os
import signal
import sys


def _stop(*_: object) -> None:
    """Exit without a traceback while the imports of a command are still loading."""
    os.write(2, b"\nparallel-mcp: stopped\n")
    os._exit(130)


signal.signal(signal.SIGINT, _stop)

from parallel_mcp.stdio import front, orphan  # noqa: E402


def main() -> None:
    """Run what the command line asks for."""
    arguments = sys.argv[1:]
    if arguments[:1] == [front.COMMAND]:
        orphan.end_with_front()
    elif front.served(arguments):
        return
    from parallel_mcp.cli import main as command_line

    command_line(prog_name="parallel-mcp")


if __name__ == "__main__":
    main()
