"""The command line: the one room that reads the environment, writes for people and ends the process.

What only one command needs is imported inside it, so that `--help` and a server load nothing in vain.
"""

from parallel_mcp.cli.group import main

__all__ = ["main"]
