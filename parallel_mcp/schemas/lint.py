"""Rejects schemas that Parallel would refuse or that are unsafe to check."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema_rs import ValidationError, meta

from parallel_mcp.schemas.places import one_line, pointer, quoted
from parallel_mcp.schemas.subschemas import (
    CONTAINER_KEYWORDS,
    DEFINITIONS,
    LISTED,
    MOST_STEPS,
    MOST_SUBSCHEMAS,
    NAMED,
    ONE,
    SAME_VALUE,
    Inner,
    Subschema,
    plain,
    refused,
    subschemas_of,
    target_of,
)
from parallel_mcp.schemas.validation import validator_of
from parallel_mcp.schemas.words import telling, words_of

# Parallel's own limits.
_MOST_CHARS = 25_000
_MOST_LEVELS = 5
_MOST_PROPERTIES = 100
_MOST_ENUM_VALUES = 500
_LARGE_ENUM_VALUES = 250
_LARGE_ENUM_CHARS = 7_500
_PLACES_NAMED = 3
_ROOT_UNIONS = ("anyOf", "oneOf", "allOf")
_OTHER_REFS = ("$dynamicRef", "$recursiveRef")
_UNCHECKED = ("format", "contentEncoding", "contentMediaType", "contentSchema", "dependencies", "additionalItems")
_CHECKED_HERE = (
    *("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"),
    *("minProperties", "maxProperties", "propertyNames", "unevaluatedProperties", "pattern", "patternProperties"),
)
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOT_FOR_METASCHEMA = frozenset({"dependencies", "contentSchema"})


def lint(schema: Mapping[str, Any]) -> list[str]:
    """Reject what Parallel would refuse or what is unsafe to check. Returns warnings, one short sentence each.

    Raises `SchemaRefused`, which names the place and says what to do. However hostile the schema, nothing else is
    raised and the work is bounded.
    """
    root = plain(schema)
    _check_size(root)
    _check_root(root)
    subschemas = subschemas_of(root)
    _check_keywords(subschemas)
    _check_properties(subschemas)
    _check_enums(subschemas)
    _check_refs(subschemas)
    _check_expansion(subschemas)
    return _warnings(subschemas)


def _check_size(root: dict[str, Any]) -> None:
    chars = len(json.dumps(root, separators=(",", ":"), ensure_ascii=False))
    if chars > _MOST_CHARS:
        raise refused(
            "#", f"{chars:,} characters, but Parallel allows {_MOST_CHARS:,}; shorten descriptions or drop properties"
        )


def _check_root(root: dict[str, Any]) -> None:
    for keyword in _ROOT_UNIONS:
        if keyword in root:
            raise refused(f"#/{keyword}", f"Parallel does not allow {keyword} at the root; move it into a property")
    if root.get("type") != "object":
        raise refused("#/type", 'the root must have "type": "object"; put any other type into a property')
    if not isinstance(root.get("properties"), dict) or not root["properties"]:
        raise refused("#/properties", "the root must have at least one property")


def _check_keywords(subschemas: Mapping[str, Subschema]) -> None:
    """Check each schema object separately against the metaschema, so that nothing recurses as deep as the schema."""
    passed: set[str] = set()
    for place, subschema in subschemas.items():
        shell = _shell(subschema.schema)
        text = json.dumps(shell)
        if text in passed:
            continue
        try:
            meta.validate({**shell, "$schema": _DIALECT})
        except ValidationError as error:
            wrong = telling(error)
            raise refused(pointer(wrong.instance_path, place), f"not a valid JSON schema: {words_of(wrong)}") from None
        _check_patterns(place, subschema.schema)
        passed.add(text)


def _check_patterns(place: str, schema: Mapping[str, Any]) -> None:
    """Check that each pattern can be run."""
    names = schema.get("patternProperties")
    for pattern in (schema.get("pattern"), *(names if isinstance(names, dict) else ())):
        try:
            validator_of({"pattern": pattern} if pattern is not None else {})
        except ValueError:
            raise refused(
                f"{place}/pattern", f"{quoted(pattern)} is not a supported regular expression; simplify it"
            ) from None


def _shell(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema object with its inner schemas and descriptive texts emptied."""
    kept: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in NAMED:
            kept[keyword] = {}
        elif keyword in LISTED:
            kept[keyword] = [True] if value else []
        elif keyword in ONE:
            kept[keyword] = True
        elif keyword in {"title", "description", "$comment"} and isinstance(value, str):
            kept[keyword] = ""
        elif keyword not in _NOT_FOR_METASCHEMA:
            kept[keyword] = value
    return kept


def _check_properties(subschemas: Mapping[str, Subschema]) -> None:
    count = 0
    for place, subschema in subschemas.items():
        count += len(subschema.schema.get("properties", ()))
        if count > _MOST_PROPERTIES:
            raise refused(
                f"{place}/properties", f"more than {_MOST_PROPERTIES} properties in total; ask for fewer at a time"
            )
        if subschema.schema.get("type") == "null" and subschema.under not in {"anyOf", "oneOf"}:
            raise refused(f"{place}/type", 'Parallel allows null only alongside another type, as in ["string", "null"]')


def _check_enums(subschemas: Mapping[str, Subschema]) -> None:
    count = 0
    for place, subschema in subschemas.items():
        values = subschema.schema.get("enum", [])
        count += len(values)
        if count > _MOST_ENUM_VALUES:
            raise refused(f"{place}/enum", f"more than {_MOST_ENUM_VALUES} enum values in total; list fewer")
        chars = sum(len(value) for value in values if isinstance(value, str))
        if len(values) > _LARGE_ENUM_VALUES and chars > _LARGE_ENUM_CHARS:
            raise refused(
                f"{place}/enum",
                f"{chars:,} characters in more than {_LARGE_ENUM_VALUES} enum values, but Parallel allows "
                f"{_LARGE_ENUM_CHARS:,}; shorten them or list fewer",
            )


def _check_refs(subschemas: Mapping[str, Subschema]) -> None:
    for place, subschema in subschemas.items():
        for keyword in _OTHER_REFS:
            if keyword in subschema.schema:
                raise refused(f"{place}/{keyword}", 'use "$ref" with a place under "#/$defs/" instead')
        if "$id" in subschema.schema and place != "#":
            raise refused(f"{place}/$id", "remove it, because it changes what references mean")
        if "$ref" in subschema.schema:
            _check_ref(f"{place}/$ref", subschema.schema["$ref"], subschemas)


def _check_ref(place: str, ref: str, subschemas: Mapping[str, Subschema]) -> None:
    if ref == "#":
        raise refused(place, "refers to the whole schema, so it is infinite; write out the levels you need")
    if not ref.startswith("#/"):
        raise refused(place, f'{quoted(ref)} is outside this schema; copy it under "$defs" and use "#/$defs/..."')
    if target_of(ref) not in subschemas:
        raise refused(place, f'there is no schema at {quoted(ref)}; define it under "$defs"')


@dataclass(frozen=True, slots=True)
class _Visit:
    """A schema visited while expanding references. `refs` are the references followed to reach it."""

    place: str
    level: int
    steps: int
    refs: tuple[str, ...]


def _check_expansion(subschemas: Mapping[str, Subschema]) -> None:
    """Follow every reference, as validation will. Rejects cycles, too many levels and too many schemas."""
    waiting = [_Visit("#", 1, 0, ())]
    waiting += [_Visit(each.place, 1, 0, ()) for each in _defined(subschemas)]
    visits = 0
    while waiting:
        visit = waiting.pop()
        visits += 1
        if visits > 2 * MOST_SUBSCHEMAS:
            raise refused(visit.place, "too many schemas once references are followed; use fewer references")
        if visit.steps > MOST_STEPS:
            raise refused(visit.place, f"more than {MOST_STEPS} schemas inside each other; flatten it")
        subschema = subschemas[visit.place]
        if visit.level > _MOST_LEVELS and _is_container(subschema.schema):
            raise refused(
                visit.place,
                f"objects and lists nested deeper than {_MOST_LEVELS} levels, counting the root; flatten them",
            )
        waiting.extend(_next_visits(visit, subschema))


def _defined(subschemas: Mapping[str, Subschema]) -> Iterator[Inner]:
    for subschema in subschemas.values():
        yield from (each for each in subschema.inner if each.keyword in DEFINITIONS)


def _next_visits(visit: _Visit, subschema: Subschema) -> Iterator[_Visit]:
    ref = subschema.schema.get("$ref")
    if ref is not None:
        target = target_of(ref)
        if target in visit.refs:
            raise refused(f"{visit.place}/$ref", "refers to itself, so it is infinite; write out the levels you need")
        yield _Visit(target, visit.level, visit.steps + 1, (*visit.refs, target))
    for each in subschema.inner:
        if each.keyword not in DEFINITIONS and isinstance(each.schema, dict):
            level = visit.level if each.keyword in SAME_VALUE else visit.level + 1
            yield _Visit(each.place, level, visit.steps + 1, visit.refs)


def _is_container(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    if kind is None:
        return any(keyword in schema for keyword in CONTAINER_KEYWORDS)
    return bool({"object", "array"} & set([kind] if isinstance(kind, str) else kind))


def _warnings(subschemas: Mapping[str, Subschema]) -> list[str]:
    places: dict[str, list[str]] = {}
    for place, subschema in subschemas.items():
        for keyword in subschema.schema:
            places.setdefault(keyword, []).append(place)
    groups = (
        (_UNCHECKED, "is neither enforced by Parallel nor checked here; put it in the description"),
        (_CHECKED_HERE, "is not enforced by Parallel; the answer is checked against it here"),
    )
    return [
        f"`{keyword}` at {_some(places[keyword])} {words}."
        for keywords, words in groups
        for keyword in keywords
        if keyword in places
    ]


def _some(places: list[str]) -> str:
    more = f" and {len(places) - _PLACES_NAMED} more" if len(places) > _PLACES_NAMED else ""
    return ", ".join(one_line(place) for place in places[:_PLACES_NAMED]) + more
