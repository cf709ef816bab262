"""Half a surrogate pair, which many clients send if they cut a text in the middle of an emoji."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile_targets import LEGACY, META, MODERN, port

TEXTS = {
    r"cut \ud83d": "cut �",
    r"\ude00 cut": "� cut",
    r"whole \ud83d\ude00, cut \ud83d\u0041 \uD83D\uDE00": "whole \U0001f600, cut �A \U0001f600",
    r"no escape: \\ud83d \\\\ude00": r"no escape: \ud83d \\ude00",
    r"\u0041\ude00\n": "A�",
}


@pytest.mark.parametrize("era", [LEGACY, MODERN])
def test_half_a_pair_over_http_becomes_a_replacement_character(tmp_path: Path, upstream_url: str, era: str) -> None:
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": era,
    }
    if era == MODERN:
        headers |= {"mcp-method": "tools/call", "mcp-name": "web_answer"}
    with port(tmp_path, upstream_url, "http", "--store", "memory:") as victim:
        for written, meant in TEXTS.items():
            params: dict[str, Any] = {"name": "web_answer", "arguments": {"question": "TEXT"}}
            if era == MODERN:
                params["_meta"] = META
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
            status, _, said = victim.request("POST", "/mcp", body.replace("TEXT", written).encode(), headers)
            assert status == 200, said
            (line,) = [line for line in said.splitlines() if line.removeprefix(b"data: ").startswith(b"{")]
            content = json.loads(line.removeprefix(b"data: "))["result"]["structuredContent"]["content"]
            assert content == f"An answer to: {meant}"
