"""Changes to configuration files do what was asked and leave everything else alone."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_mcp.hosts.documents import ABSENT, DocumentError, change, read, value

ENTRY = {"command": "/opt/bin/parallel-mcp", "args": [], "env": {"A": "1"}}
KEYS = ("mcpServers", "parallel")

# Any JSON object, with comments, odd spaces and trailing commas wherever they are allowed.
_spaces = st.lists(
    st.sampled_from([" ", "\n", "\n    ", "\t", '// note, {} "x": 1\n', "/* a, b: { */"]), max_size=3
).map("".join)
_scalars = st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5)
_names = st.sampled_from(["mcpServers", "parallel", "other", "a"]) | st.text(max_size=3)


@st.composite
def _written(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(st.sampled_from(["scalar", "object", "list"])) if depth else "object"
    if depth > 3 or kind == "scalar":
        return json.dumps(draw(_scalars), ensure_ascii=draw(st.booleans()))
    if kind == "object":
        names = draw(st.lists(_names, max_size=4, unique=True))
        parts = [
            "".join((draw(_spaces), json.dumps(name), ":", draw(_spaces), draw(_written(depth + 1)), draw(_spaces)))
            for name in names
        ]
    else:
        parts = [draw(_spaces) + draw(_written(depth + 1)) for _ in range(draw(st.integers(0, 3)))]
    comma = draw(st.sampled_from(["", ","])) if parts else ""
    brackets = "{}" if kind == "object" else "[]"
    return brackets[0] + ",".join(parts) + comma + draw(_spaces) + brackets[1]


@settings(max_examples=100)
@given(_spaces, _written(), _spaces)
def test_any_json_keeps_its_comments_and_its_data(head: str, body: str, tail: str) -> None:
    text = head + body + tail
    before = read(text, "json")
    if not isinstance(before.get("mcpServers", {}), dict):
        with pytest.raises(DocumentError, match="something else"):
            change(text, "json", KEYS, ENTRY)
        return
    own = value(before, KEYS)
    added = change(text, "json", KEYS, ENTRY)
    assert value(read(added, "json"), KEYS) == ENTRY
    if own is ABSENT:
        assert _notes(added) == _notes(text)
        removed = change(added, "json", KEYS, ABSENT)
        assert _notes(removed) == _notes(text)
        assert read(removed, "json") == before | {"mcpServers": before.get("mcpServers", {})}
    assert change(added, "json", KEYS, ENTRY) == added


def _notes(text: str) -> tuple[int, int]:
    return text.count("// note"), text.count("/* a, b: { */")


JSONC = """\
// Settings of an editor
{
  "theme": "dark", // by night
  "mcpServers": {
    // the first
    "other": { "command": "x" }, // stays

    /* the last */
    "parallel": { "command": "old" }, // ours
  },
  "font": 12,
}
"""


def test_an_entry_is_replaced_where_it_stands() -> None:
    wanted = JSONC.replace('{ "command": "old" }', '{\n      "command": "new"\n    }')
    assert change(JSONC, "json", KEYS, {"command": "new"}) == wanted


def test_an_entry_goes_with_its_line_and_comes_back_as_its_neighbours_are_indented() -> None:
    text = '{\n\t"mcpServers": {\n\t\t"other": {} // note\n\t}\n}\n'
    added = change(text, "json", KEYS, {"command": "new"})
    assert added == (
        '{\n\t"mcpServers": {\n\t\t"other": {}, // note\n\t\t"parallel": {\n\t\t\t"command": "new"\n\t\t}\n\t}\n}\n'
    )
    assert change(added, "json", KEYS, ABSENT) == text


def test_windows_line_ends_and_the_byte_order_mark_stay() -> None:
    text = "\ufeff" + '{\n  "a": 1\n}\n'.replace("\n", "\r\n")
    added = change(text, "json", KEYS, ENTRY)
    assert added.startswith("\ufeff{\r\n") and "\n" not in added.replace("\r\n", "")
    assert read(added, "json") == {"a": 1, "mcpServers": {"parallel": ENTRY}}


TOML = """\
# my settings
model = "o3"   # the good one

[mcp_servers.other]  # note
command = "x"
args = [
  "a", # first
]

[profiles.x]
b = 1
"""


def test_toml_keeps_its_comments_and_goes_back_to_what_it_was() -> None:
    entry = {"command": "/bin/p", "args": ["--sandbox"], "env_vars": ["K"], "tool_timeout_sec": 360, "env": {"A": "b"}}
    added = change(TOML, "toml", ("mcp_servers", "parallel"), entry)
    assert [line for line in TOML.splitlines() if line not in added.splitlines()] == []
    assert "[mcp_servers.parallel]" in added
    assert change(added, "toml", ("mcp_servers", "parallel"), ABSENT).split() == TOML.split()
    alone = change("", "toml", ("mcp_servers", "parallel"), entry)
    assert change(alone, "toml", ("mcp_servers", "parallel"), ABSENT).strip() == ""


YAML = """\
# goose
GOOSE_MODEL: 'x'   # quoted
extensions:
  other:
    # inside
    type: stdio
    args:
    - a
    - "b"
  developer: {enabled: true}
last: "on"
"""


@pytest.mark.parametrize("text", [YAML, YAML.replace("    - ", "      - ")])
def test_yaml_keeps_its_comments_quotes_and_indentation(text: str) -> None:
    entry = {"type": "stdio", "cmd": "/bin/p", "args": ["x"], "timeout": 360}
    added = change(text, "yaml", ("extensions", "parallel"), entry)
    assert [line for line in text.splitlines() if line not in added.splitlines()] == []
    assert change(added, "yaml", ("extensions", "parallel"), ABSENT) == text


@pytest.mark.parametrize(("kind", "text"), [("json", "{"), ("json", "[]"), ("toml", "a ="), ("yaml", "a: [")])
def test_what_cannot_be_read_is_refused_in_one_line(kind: Any, text: str) -> None:
    with pytest.raises(DocumentError) as refused:
        change(text, kind, KEYS, ENTRY)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["json", "toml", "yaml"])
def test_a_file_that_is_empty_or_not_there_yet_gets_the_entry_alone(kind: Any) -> None:
    assert read(change("", kind, KEYS, ENTRY), kind) == {"mcpServers": {"parallel": ENTRY}}
    assert change("", kind, KEYS, ABSENT) == ""
