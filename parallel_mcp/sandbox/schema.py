"""A caller's schema: what the research models refuse, and how to read it.

A schema is untrusted: references are followed only within it and only so far, no pattern is ever run, and every walk
over it is bounded in depth and size.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

# The limits of the research models.
MAX_NESTING = 5
MAX_PROPERTIES = 100
MAX_CHARACTERS = 25_000
MAX_ENUM = 500


class SchemaError(ValueError):
    """The research models refuse the schema. The text names the place."""


def check(schema: Schema) -> None:
    """Raise SchemaError, which names the place, for a schema that the research models refuse."""
    root = resolve(schema, schema)
    if "anyOf" in root:
        raise SchemaError("at the root: anyOf is not allowed there")
    if root.get("type") != "object":
        raise SchemaError("at the root: type must be 'object'")
    if not isinstance(root.get("properties"), dict) or not root["properties"]:
        raise SchemaError("at the root: an object must have properties")
    count = characters = 0
    for place, part, depth in _walk(schema):
        if depth > MAX_NESTING:
            raise SchemaError(f"at {place}: nested deeper than {MAX_NESTING} levels")
        properties = part.get("properties")
        count += len(properties) if isinstance(properties, dict) else 0
        characters += _characters(part)
        if count > MAX_PROPERTIES:
            raise SchemaError(f"at {place}: over {MAX_PROPERTIES} properties in total")
        if characters > MAX_CHARACTERS:
            raise SchemaError(f"at {place}: over {MAX_CHARACTERS:,} characters of names and text in total")
        values = part.get("enum")
        if isinstance(values, list) and len(values) > MAX_ENUM:
            raise SchemaError(f"at {place}: an enum of over {MAX_ENUM} values")


def _characters(part: Schema) -> int:
    texts: list[object] = [part.get("description"), part.get("title"), part.get("const")]
    for name in ("properties", "$defs", "definitions"):
        if isinstance(part.get(name), dict):
            texts.extend(part[name])
    if isinstance(part.get("enum"), list):
        texts.extend(part["enum"])
    return sum(len(text) for text in texts if isinstance(text, str))


def _walk(schema: Schema) -> Iterator[tuple[str, Schema, int]]:
    """Every part of a schema as written, with its place and the number of objects and lists around it.

    Parts of `$defs` are visited where they are defined, so that a definition that refers to itself ends.
    """
    waiting: list[tuple[str, object, int]] = [("the root", schema, 1)]
    while waiting:
        place, part, depth = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield place, part, depth
        if depth > MAX_NESTING:
            continue
        inside = "" if place == "the root" else f"{place}."
        for name in ("properties", "$defs", "definitions"):
            named = part.get(name)
            deeper = depth + 1 if name == "properties" else 1
            for key, value in named.items() if isinstance(named, dict) else ():
                nests = isinstance(value, dict) and ("properties" in value or "items" in value)
                waiting.append((f"{inside}{key}", value, deeper if nests else depth))
        waiting.append((f"{inside}items", part.get("items"), depth))
        for name in ("anyOf", "oneOf", "allOf"):
            waiting.extend((f"{inside}{name}", value, depth) for value in options(part, name))


def options(part: Schema, name: str) -> list[Any]:
    """The schemas of an anyOf, oneOf or allOf."""
    found = part.get(name)
    return found if isinstance(found, list) else []


def resolve(part: object, root: Schema) -> Schema:
    """A part of a schema with its local references followed. Unresolvable ones become an empty schema."""
    for _ in range(16):
        if not isinstance(part, dict):
            return {}
        target = part.get("$ref")
        if not isinstance(target, str):
            return part
        part = _pointed(target, root)
    return {}


def _pointed(target: str, root: Schema) -> object:
    if target == "#":
        return root
    if not target.startswith("#/"):
        return None
    at: Any = root
    for step in target[2:].split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(at, dict) or step not in at:
            return None
        at = at[step]
    return at
