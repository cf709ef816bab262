"""`nox -s hosts` installs the hosts, which are large; without them there is nothing to connect."""

import os
from pathlib import Path

NODE = Path(os.environ.get("HOSTS_NODE_DIR") or Path(__file__).parent) / "node_modules" / ".bin"

collect_ignore = [] if NODE.is_dir() else ["test_real_hosts.py"]
