"""`nox -s hosts` installs the hosts, which are large; without them there is nothing to connect."""

import os
from pathlib import Path

import pytest

NODE = Path(os.environ.get("HOSTS_NODE_DIR") or Path(__file__).parent) / "node_modules" / ".bin"

collect_ignore = [] if NODE.is_dir() else ["test_real_hosts.py"]


@pytest.fixture
def lasting_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """This environment lasts, wherever the checkout is: one below the folder for temporary files would not."""
    monkeypatch.setattr("parallel_mcp.hosts.places._passing", lambda _: False)
