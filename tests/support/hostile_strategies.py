"""What a confused model, a broken client or an attacker might send."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.support.hostile_targets import HUGE, META, encoded

# JSON

odd_texts = st.sampled_from(
    [
        *(
            "",
            " ",
            "\x00",
            "\x1b[2J",
            "\ud800",
            "\u202e",
            "null",
            "true",
            "0",
            "-1",
            "{}",
            "[]",
            "NaN",
            "'; DROP TABLE",
        ),
        *("../../etc/passwd", "research://", "http://127.0.0.1:1/", "%s%n{0}{x}", "ﬀ", "𝕏" * 100, "a" * 20_001),
        *("\r\ndata: x\r\n\r\n", '"}],"x":[{"', "</script>", "\ufeff", "é" * 3000, "x" * 100_000),
    ]
)
texts = st.text(max_size=30) | odd_texts
numbers = (
    st.integers()
    | st.floats()
    | st.sampled_from([10**400, HUGE, 2**63, 2**64, 1e308, 5e-324, float("nan"), float("inf")])
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=8
)


def nested(depth: int, kind: str) -> Any:
    """Lists, objects or schemas nested this deep."""
    value: Any = {}
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value} if kind == "object" else _inside(kind, value)
    return value


def _inside(kind: str, value: Any) -> Any:
    if kind == "items":
        return {"type": "array", "items": value}
    if kind == "anyOf":
        return {"anyOf": [value, value]} if isinstance(value, dict) and "anyOf" not in value else {"anyOf": [value]}
    return {"type": "object", "properties": {"a": value}}


deep = st.builds(
    nested, st.sampled_from([5, 20, 60, 61, 150, 900]), st.sampled_from(["list", "object", "items", "anyOf", "schema"])
)

# Schemas

refs = st.sampled_from(
    [
        *("#", "#/", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/properties/a/properties/a", "#/%24defs/a", "##"),
        *("http://127.0.0.1:1/schema", "https://example.com/s.json", "file:///etc/passwd", "//example.com/s", "s.json"),
        *("urn:uuid:0", "data:application/json,{}", "ftp://x", "#a", "https://json-schema.org/draft/2020-12/schema"),
    ]
)
patterns = st.sampled_from(
    [
        "(a+)+$",
        "(a|a)*$",
        "(a|aa)+$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(.*a){25}",
        "[",
        "(?P<a",
        "\\",
        "(?<=a+)b",
        "a{99999}",
    ]
)
names = (
    st.sampled_from(["a", "b", "answer", "citations", "$ref", "", "a/b", "a~b", "0", "__proto__", "x" * 300]) | texts
)
kinds = st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "null"])
enums = st.lists(scalars, max_size=5) | st.builds(
    lambda size, length: [f"{number:0{length}}" for number in range(size)],
    st.sampled_from([250, 251, 500, 501, 3000]),
    st.sampled_from([1, 30, 100]),
)


def some_of(keywords: dict[str, st.SearchStrategy[Any]], most: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    """An object with a few of the keywords. Cheaper to generate than one in which each is optional."""
    pairs = [st.tuples(st.just(keyword), value) for keyword, value in keywords.items()]
    return st.lists(st.one_of(pairs), max_size=most).map(dict)


def one_level(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A schema that contains schemas."""
    return some_of(
        {
            "type": kinds | st.lists(kinds, max_size=3) | scalars,
            "properties": st.dictionaries(names, inner, max_size=3) | values,
            "patternProperties": st.dictionaries(patterns, inner, max_size=2),
            "additionalProperties": inner | scalars,
            "propertyNames": inner,
            "required": st.lists(names, max_size=3) | values,
            "items": inner | st.lists(inner, max_size=2),
            "prefixItems": st.lists(inner, max_size=2) | scalars,
            "contains": inner,
            "uniqueItems": scalars,
            "enum": enums | scalars,
            "const": values,
            "anyOf": st.lists(inner, max_size=3) | scalars,
            "oneOf": st.lists(inner, max_size=3),
            "allOf": st.lists(inner, max_size=3),
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "dependentSchemas": st.dictionaries(names, inner, max_size=2),
            "dependentRequired": values,
            "unevaluatedProperties": inner | st.booleans(),
            "$ref": refs | scalars,
            "$dynamicRef": refs,
            "$id": refs | scalars,
            "$schema": refs | scalars,
            "$anchor": texts,
            "$defs": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2) | values,
            "pattern": patterns | scalars,
            "format": st.sampled_from(["date", "email", "uri", "regex"]) | scalars,
            "minimum": scalars,
            "maximum": scalars,
            "multipleOf": numbers,
            "minLength": scalars,
            "maxItems": scalars,
            "description": texts,
        }
    )


subschemas = st.recursive(
    st.fixed_dictionaries({"type": kinds}) | st.fixed_dictionaries({"$ref": refs}), one_level, max_leaves=4
)


def _laughing(levels: int) -> dict[str, Any]:
    """Each definition refers to the next one twice: small to write, exponential to follow."""
    definitions: dict[str, Any] = {
        f"l{level}": {"allOf": [{"$ref": f"#/$defs/l{level + 1}"}] * 2} for level in range(levels)
    }
    definitions[f"l{levels}"] = {"type": "string"}
    return {"type": "object", "properties": {"a": {"$ref": "#/$defs/l0"}}, "$defs": definitions}


def _rooted(properties: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A valid root, so that its content is checked."""
    return {"type": "object", "properties": properties, "$defs": definitions}


def _crowded(names: int, items: int) -> dict[str, Any]:
    """Many names, each required by many alternatives: small to write, but checking takes their product."""
    required = [f"n{number}" for number in range(names)]
    return _rooted({"a": {"type": "array", "items": {"anyOf": [{"required": required}] * items}}}, {})


def _unique(depth: int) -> dict[str, Any]:
    """Lists of lists whose items have to be compared with each other."""
    inner: dict[str, Any] = {"type": "array", "uniqueItems": True}
    for _ in range(depth):
        inner = {"type": "array", "uniqueItems": True, "items": inner}
    return _rooted({"a": inner}, {})


wrappers = st.sampled_from(
    [
        lambda schema: {"type": "json", "json_schema": schema},
        lambda schema: {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}},
        lambda schema: {"name": "n", "schema": schema},
        lambda schema: {"$ref": "#/$defs/root", "$defs": {"root": schema}},
        lambda schema: {**schema, "nullable": True} if isinstance(schema, dict) else schema,
        json.dumps,
        lambda schema: json.dumps(json.dumps(schema)),
        lambda schema: f"```json\n{json.dumps(schema)}\n```",
    ]
)
"""What hosts and converters put around a schema."""

output_schemas = (
    st.builds(
        _rooted,
        st.dictionaries(names, subschemas, min_size=1, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b"]), subschemas, max_size=2),
    )
    | st.builds(lambda pattern: _rooted({"a": {"type": "string", "pattern": pattern}}, {}), patterns)
    | st.builds(lambda inner: _rooted({"a": inner}, {}), deep)
    | st.builds(lambda enum: _rooted({"a": {"enum": enum}}, {}), enums)
    | st.builds(_laughing, st.integers(1, 40))
    | st.builds(_crowded, st.sampled_from([3, 300, 2000]), st.sampled_from([1, 5]))
    | st.builds(_unique, st.integers(0, 6))
    | one_level(subschemas)
    | deep
    | values
)

# Arguments, messages and requests

_argument_values: dict[str, st.SearchStrategy[Any]] = {
    "question": texts | values,
    "instructions": texts | values,
    "output_schema": output_schemas | st.builds(lambda wrap, schema: wrap(schema), wrappers, output_schemas),
    "follow_up_to": texts | values,
    "model": st.sampled_from(["lite", "base", "core", "speed", "CORE"]) | values,
    "fresh": st.booleans() | values,
    "research_id": texts | values,
    "cancel": st.booleans() | values,
}
asking = st.fixed_dictionaries({"question": st.text(min_size=1, max_size=60)})
hostile_arguments = some_of(_argument_values, 5)
injected = st.dictionaries(
    st.sampled_from(["toolCallId", "_sessionID", "sessionId", "_meta", "tool_call_id", "run_manager", "$schema"]),
    values,
    max_size=2,
)
"""Extras that hosts add to a call's arguments."""
filled_in: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(list(_argument_values)),
    st.sampled_from([None, "", " ", "null", "None", "undefined", "{}", "[]", {}, [], "'id'", "research://id/md"]),
    max_size=6,
)
"""Values that models send for arguments they mean to omit."""
arguments = (
    st.builds(lambda asked, schema: {**asked, "output_schema": schema}, asking, output_schemas)
    | st.builds(lambda asked, more: {**more, **asked}, asking, hostile_arguments)
    | st.builds(lambda filled, asked, more: {**filled, **asked, **more}, filled_in, asking, injected)
    | hostile_arguments
    | filled_in
    | st.dictionaries(texts, values, max_size=3)
)
tools = st.sampled_from(["web_answer", "deep_research"])

methods = st.sampled_from(
    [
        *("tools/call", "tools/list", "resources/list", "resources/read", "resources/templates/list", "prompts/list"),
        *(
            "prompts/get",
            "ping",
            "server/discover",
            "completion/complete",
            "logging/setLevel",
            "notifications/cancelled",
        ),
        *("tasks/get", "tasks/cancel", "tasks/update", "resources/subscribe", "notifications/progress"),
        *("notifications/initialized", "notifications/roots/list_changed", "rpc.discover", "", "tools/call\n"),
    ]
)
calls = st.builds(lambda name, given: {"name": name, "arguments": given}, tools | texts, arguments | values)
uris = (
    st.sampled_from(
        [
            "research://",
            "research://?before=x",
            "research://x/md",
            "research://x/json",
            "file:///etc/passwd",
            "x",
            "research://" + "a" * 3000,
        ]
    )
    | texts
)
params = (
    calls
    | st.builds(lambda uri: {"uri": uri}, uris)
    | st.builds(lambda task: {"taskId": task}, scalars)
    | st.builds(lambda given, meta: {**given, "_meta": meta}, calls, values)
    | st.builds(lambda given, token: {**given, "_meta": {**META, "progressToken": token}}, calls, scalars)
    | values
)
messages = (
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "id": st.integers(0, 9) | scalars, "method": methods},
        optional={"params": params},
    )
    | st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.just("2.0") | values,
            "id": values,
            "method": methods | values,
            "params": params,
            "result": values,
            "error": values,
        },
    )
    | st.builds(lambda inner: [inner, inner], st.fixed_dictionaries({"jsonrpc": st.just("2.0"), "method": methods}))
    | values
    | deep
)


def _mangled(message: Any, cut: int, junk: bytes) -> bytes:
    """A message with something else inserted."""
    data = encoded(message)
    cut %= len(data) + 1
    return data[:cut] + junk + data[cut:]


raw_bytes = (
    st.binary(max_size=200)
    | messages.map(lambda message: encoded(message))
    | messages.map(lambda message: b"\xef\xbb\xbf" + encoded(message))
    | messages.map(lambda message: json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | st.builds(_mangled, messages, st.integers(0, 500), st.binary(max_size=5))
    | st.builds(lambda message, cut: encoded(message)[:cut], messages, st.integers(0, 60))
    | st.sampled_from([b"", b"\xff\xfe{\x00}\x00", b"[" * 100_000, b'{"a":' * 50_000, b"\x00" * 1000, b"1" * 100_000])
)

documents = st.sampled_from(
    [
        *("[](" * 5_000, "[]()" * 32 + "x", "# a" + " " * 20_000 + "b", "<pre>" + " " * 400_000, "<" * 50_000),
        *("*" * 20_000, "> " * 5_000 + "x", "`" * 9_999, "|" * 20_000, "![" * 5_000, "&" * 50_000, "a " * 20_000),
    ]
)
"""Questions that are hard on a parser of Markdown or HTML."""
chat_messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": texts | documents | values}
    ),
    max_size=3,
)
chat_formats = (
    st.builds(lambda inner: {"type": "json_schema", "json_schema": {"name": "a", "schema": inner}}, output_schemas)
    | st.just({"type": "json_object"})
    | values
)
chat_requests = (
    st.fixed_dictionaries(
        {"model": st.sampled_from(["speed", "lite", "base", "core"]) | texts, "messages": chat_messages},
        optional={
            "stream": st.booleans() | scalars,
            "response_format": chat_formats,
            "previous_interaction_id": scalars,
            "tools": values,
            "max_tokens": values,
            "temperature": values,
        },
    )
    | values
    | deep
)
