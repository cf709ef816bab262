"""Accepts a caller's schema in the forms that hosts and frameworks use: wrapped, as text, or in another dialect."""

import json
from collections.abc import Mapping
from typing import Any

from parallel_mcp.errors import SchemaRefused
from parallel_mcp.schemas.values import flaw_of

_MOST_CHARS = 100_000
_MOST_DEPTH = 60
_MOST_VALUES = 12_500
_WRAPPERS = ("json_schema", "schema", "output_schema", "jsonSchema")
_SCHEMA_KEYS = frozenset({"properties", "$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf", "enum", "items"})


def as_meant(given: Any) -> dict[str, Any] | None:
    """The schema in `given`, or None if there is none. Raises SchemaRefused.

    Text is parsed, twice if it is JSON in a JSON string. The wrappers `{"type": "json_schema", "json_schema": {...}}`
    and `{"name": ..., "schema": {...}}` are removed, a `$ref` at the root is followed, and `nullable` becomes null.
    """
    schema = given
    for _ in range(3):
        if not isinstance(schema, str):
            break
        schema = _read(schema)
    for _ in range(3):
        inner = _wrapped(schema)
        if inner is None:
            break
        schema = _read(inner) if isinstance(inner, str) else inner
    if schema is None or schema == {}:
        return None
    if not isinstance(schema, Mapping):
        raise SchemaRefused('output_schema must be a JSON object such as {"type": "object", "properties": {...}}.')
    # lint rejects a schema that is too deep or too large, and names the place.
    if flaw_of(dict(schema), _MOST_DEPTH, _MOST_VALUES) is not None:
        return dict(schema)
    meant: dict[str, Any] = _with_null(_with_root(dict(schema)))
    return meant


def _read(text: str) -> Any:
    if len(text) > _MOST_CHARS:
        raise SchemaRefused(f"output_schema is {len(text):,} characters long: shorten descriptions or drop properties.")
    if not text.strip() or text.strip().lower() == "none":
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SchemaRefused("output_schema is text that is not JSON: pass the schema as an object.") from None


def _wrapped(schema: Any) -> Any:
    """The contents of a wrapper, or None if there is no wrapper."""
    if not isinstance(schema, Mapping) or schema.keys() & _SCHEMA_KEYS:
        return None
    return next((schema[key] for key in _WRAPPERS if isinstance(schema.get(key), Mapping | str)), None)


def _with_root(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its root replaced by the definition that it refers to."""
    for _ in range(3):
        ref = schema.get("$ref")
        if not isinstance(ref, str) or not ref.startswith(("#/$defs/", "#/definitions/")):
            break
        _, place, name = ref.split("/", 2)
        definitions = schema.get(place)
        target = definitions.get(name) if isinstance(definitions, Mapping) else None
        if not isinstance(target, Mapping):
            break
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _with_null(node: Any, under_names: bool = False) -> Any:
    """Replace OpenAPI's `nullable: true` by JSON Schema's null type."""
    if isinstance(node, list):
        return [_with_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    names = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
    copied = {key: _with_null(value, not under_names and key in names) for key, value in node.items()}
    if under_names or copied.get("nullable") not in (True, False):
        return copied
    nullable, kind = copied.pop("nullable"), copied.get("type")
    if nullable and isinstance(kind, str | list):
        copied["type"] = list(dict.fromkeys([*([kind] if isinstance(kind, str) else kind), "null"]))
        if isinstance(copied.get("enum"), list) and None not in copied["enum"]:
            copied["enum"] = [*copied["enum"], None]
    return copied
