"""`python -m parallel_mcp` is `parallel-mcp`."""

from parallel_mcp.cli import main

main(prog_name="parallel-mcp")
