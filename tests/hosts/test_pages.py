"""README and docs say the same about hosts as the table of hosts."""

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from parallel_mcp.hosts.table import HOSTS, Host
from tests.hosts import pages


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_page_holds_the_tables_as_they_are(name: str) -> None:
    text, wanted = pages.page(name)
    assert text == wanted, "run `python -m tests.hosts.pages`"


@pytest.mark.parametrize("host", [host for host in HOSTS if host.link], ids=lambda host: host.id)
def test_a_link_carries_the_entry_that_the_host_would_write(host: Host) -> None:
    asked = parse_qs(urlsplit(pages.link(host)).query, strict_parsing=True)
    (name,), (config,) = asked["name"], asked["config"]
    text = config if config.startswith("{") else base64.b64decode(config, validate=True).decode()
    assert name == "parallel" and json.loads(text)["url"] == pages.HERE
