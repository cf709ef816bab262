"""The table of hosts: what it says about clients, and what it costs to import."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_mcp.hosts.table import HOSTS, call_limit

# What real clients sent to this server's stdin, by the id of their host.
RECORDED = json.loads((Path(__file__).parent / "client_infos.json").read_text("utf-8"))


@pytest.mark.parametrize("host_id", sorted(RECORDED))
def test_a_client_is_known_by_the_name_that_it_really_sends(host_id: str) -> None:
    (host,) = (host for host in HOSTS if host.id == host_id)
    own = [pattern.rstrip("*") for pattern in host.clients]
    assert any(RECORDED[host_id]["name"].lower().startswith(name) for name in own)
    assert call_limit(RECORDED[host_id]["name"]) == host.call_limit


def test_names_are_read_without_regard_to_case_or_space_and_strangers_have_no_limit() -> None:
    assert call_limit(" Claude-Code ") == call_limit("claude-code") is not None
    assert call_limit("gemini-cli-mcp-client-parallel") == call_limit("gemini-cli-mcp-client") is not None
    assert call_limit("claude-codex") is None
    assert call_limit("") is None


def test_no_two_hosts_claim_one_client() -> None:
    claims = [pattern for host in HOSTS for pattern in host.clients]
    for name in claims:
        rivals = [p for p in claims if p != name and p.endswith("*") and name.startswith(p[:-1])]
        assert not rivals and claims.count(name) == 1, name


def test_the_table_imports_nothing_but_typing() -> None:
    before = "import typing, sys; before = set(sys.modules); import parallel_mcp.hosts.table; "
    told = subprocess.run(
        [sys.executable, "-c", before + "print(*sorted(set(sys.modules) - before))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert all(name.startswith("parallel_mcp") for name in told), told
