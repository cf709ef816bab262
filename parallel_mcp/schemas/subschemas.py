"""The schemas inside a schema, by place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from parallel_mcp.errors import SchemaRefused
from parallel_mcp.schemas.places import one_line, pointer
from parallel_mcp.schemas.values import flaw_of, tokens

# Our own limits. The validator recurses several frames deep for each step from a schema to one inside it.
MOST_SUBSCHEMAS = 2_000
MOST_STEPS = 20
_MOST_VALUES = 12_500  # more do not fit in the characters that Parallel takes
_MOST_SCHEMA_DEPTH = 60

# How a keyword holds schemas: as its value, in a list, or by name.
ONE = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
DEFINITIONS = frozenset({"$defs", "definitions"})
SAME_VALUE = frozenset({"allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then"})
_MAY_BE_BOOLEAN = frozenset({"additionalProperties", "items", "unevaluatedItems", "unevaluatedProperties"})
CONTAINER_KEYWORDS = (ONE | LISTED | NAMED) - SAME_VALUE - DEFINITIONS


def refused(place: str, words: str) -> SchemaRefused:
    """A SchemaRefused that names the place."""
    return SchemaRefused(f"output_schema, at {one_line(place)}: {words}.")


@dataclass(frozen=True, slots=True)
class Inner:
    """A schema inside another, with the keyword that holds it and its place."""

    keyword: str
    tokens: tuple[str | int, ...]
    schema: Any
    place: str


@dataclass(frozen=True, slots=True)
class Subschema:
    """A schema object as written, its number of steps below the root, and the schemas directly inside it."""

    place: str
    schema: dict[str, Any]
    under: str
    steps: int
    inner: tuple[Inner, ...]


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, if it consists of plain JSON values. Raises SchemaRefused."""
    if not isinstance(schema, Mapping):
        raise refused("#", 'a schema must be an object such as {"type": "object", "properties": {...}}')
    root = dict(schema)
    flaw = flaw_of(root, _MOST_SCHEMA_DEPTH, _MOST_VALUES)
    if flaw is not None:
        raise refused(pointer(tokens(flaw.trail)), f"has {flaw.words}; a schema must be plain JSON and small")
    return root


def subschemas_of(root: dict[str, Any]) -> dict[str, Subschema]:
    """Every schema object in `root`, by place, the root first."""
    found: dict[str, Subschema] = {}
    waiting = [(Inner("", (), root, "#"), 0)]
    while waiting:
        here, steps = waiting.pop()
        if here.schema is True or here.schema is False:
            _check_boolean(here)
            continue
        if not isinstance(here.schema, dict):
            raise refused(here.place, 'a schema must be an object such as {"type": "string"}')
        if steps > MOST_STEPS:
            raise refused(here.place, f"more than {MOST_STEPS} schemas inside each other; flatten it")
        if len(found) >= MOST_SUBSCHEMAS:
            raise refused(here.place, f"more than {MOST_SUBSCHEMAS:,} schemas in total; make it smaller")
        inner = tuple(_inner(here.schema, here.place))
        found[here.place] = Subschema(here.place, here.schema, here.keyword, steps, inner)
        waiting.extend((each, steps + 1) for each in reversed(inner))
    return found


def _check_boolean(here: Inner) -> None:
    if here.keyword not in _MAY_BE_BOOLEAN:
        raise refused(here.place, 'true and false are not schemas here; use an object such as {"type": "string"}')


def _inner(schema: dict[str, Any], place: str) -> Iterator[Inner]:
    for keyword, value in schema.items():
        at = f"{place}/{keyword}"
        if keyword in ONE:
            yield Inner(keyword, (), value, at)
        elif keyword in LISTED:
            if not isinstance(value, list):
                raise refused(at, "must be a list of schemas")
            yield from (Inner(keyword, (i,), each, pointer((i,), at)) for i, each in enumerate(value))
        elif keyword in NAMED:
            if not isinstance(value, dict):
                raise refused(at, "must be an object of schemas by name")
            yield from (Inner(keyword, (name,), each, pointer((name,), at)) for name, each in value.items())


def target_of(ref: str) -> str:
    """The place that a local reference names, as `pointer` writes it."""
    tokens = unquote(ref).split("/")[1:]
    return pointer(token.replace("~1", "/").replace("~0", "~") for token in tokens)
