"""`nox -s hosts` installs the hosts that these tests need, which are large."""

import os
from pathlib import Path

import pytest

NODE = Path(os.environ.get("HOSTS_NODE_DIR") or Path(__file__).parent) / "node_modules" / ".bin"

collect_ignore = [] if NODE.is_dir() else ["test_real_hosts.py"]


@pytest.fixture
def lasting_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat this environment as permanent, even if the checkout is below the folder for temporary files."""
    monkeypatch.setattr("parallel_mcp.hosts.places._passing", lambda _: False)
