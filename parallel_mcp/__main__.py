"""`parallel-mcp`, and `python -m parallel_mcp`: the front at once, anything else by the command line."""

import sys

from parallel_mcp.stdio import front, orphan


def main() -> None:
    """Do what the command line says."""
    arguments = sys.argv[1:]
    if arguments[:1] == [front.COMMAND]:
        orphan.end_with_front()
    elif front.served(arguments):
        return
    from parallel_mcp.cli import main as command_line

    command_line(prog_name="parallel-mcp")


if __name__ == "__main__":
    main()
