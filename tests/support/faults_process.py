"""The stdio server with settings that no environment variable has: `python -m tests.support.faults_process JSON`."""

import json
import sys

import anyio
import stamina

from parallel_mcp.server import build
from parallel_mcp.settings import Settings
from parallel_mcp.stdio import engine

if __name__ == "__main__":
    # No waits between attempts, but the usual number of them.
    stamina.set_testing(True, attempts=3, cap=True)
    anyio.run(engine.serve, build(Settings(**json.loads(sys.argv[1]))))
