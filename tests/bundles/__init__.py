"""The packages of this project for hosts and registries."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODE = Path(os.environ.get("BUNDLES_NODE_DIR") or Path(__file__).parent) / "node_modules" / ".bin"
