"""A caller's output schema: lint, lenient reading of JSON text, validation.

The limits in `lint` are those that Parallel documents for the output schemas of its research models, and a few of
our own that keep the local check cheap. A place in a schema is written as a JSON pointer, `#/properties/a/items`;
a place in an answer as its basis entries write it, `founders.0.name`.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from parallel_mcp.errors import SchemaRefused, clean

# Parallel's own limits.
_MOST_CHARS = 25_000
_MOST_LEVELS = 5
_MOST_PROPERTIES = 100
_MOST_ENUM_VALUES = 500
_LARGE_ENUM_VALUES = 250
_LARGE_ENUM_CHARS = 7_500

# Ours. jsonschema recurses several frames deep for each step from a schema to one inside it.
_MOST_SUBSCHEMAS = 2_000
_MOST_STEPS = 20
_MOST_VALUES = 30_000
_MOST_SCHEMA_DEPTH = 60

# Ours, for answers: values in all, levels, and units of work, of which a second does some hundred thousand.
_MOST_ANSWER_VALUES = 200_000
_MOST_ANSWER_DEPTH = 100
_MOST_WORK = 200_000
_MOST_ERRORS = 200
_MOST_INT_BITS = 14_000  # about 4,200 digits: Python refuses to print more than 4,300

_QUOTED_CHARS = 40
_PLACE_CHARS = 120
_PLACES_NAMED = 3
_MOST_RUNS = 1_000  # of braces in prose
_OPTIONS_NAMED = 8

# Where schemas sit inside a schema: as the keyword's value, in a list, or under names.
_ONE = frozenset(
    {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_NAMED = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_DEFINITIONS = frozenset({"$defs", "definitions"})
_SAME_VALUE = frozenset({"allOf", "anyOf", "dependentSchemas", "else", "if", "not", "oneOf", "then"})
_MAY_BE_BOOLEAN = frozenset({"additionalProperties", "items", "unevaluatedItems", "unevaluatedProperties"})
_ROOT_UNIONS = ("anyOf", "oneOf", "allOf")
_OTHER_REFS = ("$dynamicRef", "$recursiveRef")
_CONTAINER_KEYWORDS = (_ONE | _LISTED | _NAMED) - _SAME_VALUE - _DEFINITIONS

_NEVER_RUN = ("pattern", "patternProperties")
_UNCHECKED = ("format", "contentEncoding", "contentMediaType", "contentSchema", "dependencies", "additionalItems")
_CHECKED_HERE = (
    *("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"),
    *("minProperties", "maxProperties", "propertyNames", "unevaluatedProperties"),
)
_NOT_FOR_METASCHEMA = frozenset({"dependencies", "contentSchema"})


def lint(schema: Mapping[str, Any]) -> list[str]:
    """Refuse what Parallel would refuse and what is unsafe to check; return warnings, one short sentence each.

    Raises `SchemaRefused`, which names the place and says what to do. However hostile the schema, nothing else is
    raised and the work is bounded.
    """
    root = _plain(schema)
    _check_size(root)
    _check_root(root)
    subschemas = _subschemas(root)
    _check_keywords(subschemas)
    _check_properties(subschemas)
    _check_enums(subschemas)
    _check_refs(subschemas)
    _check_expansion(subschemas)
    return _warnings(subschemas)


def read(text: str) -> Any:
    """The JSON value that a model wrote, whatever it put around it.

    Plain JSON and JSON in one code fence may be any value. Out of prose only an object is taken: the longest run of
    balanced braces, so that a piece of a broken or truncated answer never passes for the answer.
    Raises ValueError if there is none, or if it is deeper than 100 levels, larger than 200,000 values or not finite.
    """
    text = text.strip("\ufeff \t\r\n")
    fenced = _FENCED.match(text)
    for candidate in (text, *([fenced["inside"].strip()] if fenced else [])):
        try:
            value = _DECODER.decode(candidate)
        except (ValueError, RecursionError):
            continue
        return _sound(value)
    return _sound(_object_in(text))


def problems(schema: Mapping[str, Any], value: Any, limit: int = 5) -> list[str]:
    """What keeps `value` from fitting `schema`, at most `limit` short sentences; none if it fits.

    `schema` has passed `lint`. `pattern`, `patternProperties` and `format` are not looked at, and nothing that hangs
    on them can make a problem of its own. The work is bounded: of a very large value only a part is checked, and the
    last sentence says so. Never raises.
    """
    flaw = _flaw(value, _MOST_ANSWER_DEPTH, _MOST_ANSWER_VALUES)
    if flaw is not None:
        return [f"{_dotted(_tokens(flaw.trail))}: cannot be checked, {flaw.words}"][:limit]
    validator = _validator(_Softened(_subschemas(_plain(schema))).root())
    found: list[str] = []
    try:
        for error in islice(validator.iter_errors(value), _MOST_ERRORS):
            sentence = _sentence(_telling(error))
            if sentence not in found:
                found.append(sentence)
            if len(found) >= limit:
                break
    except _TooMuchWork:
        found.append("the answer is too large to check whole; the rest was not checked")
    return found[:limit]


# JSON values of unknown shape


@dataclass(frozen=True, slots=True)
class _Trail:
    """The way to a value, innermost first, so that a long way costs no copying."""

    outer: "_Trail | None"
    token: str | int


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Why a value is not JSON that we handle, and where."""

    trail: _Trail | None
    words: str


def _tokens(trail: _Trail | None) -> list[str | int]:
    tokens: list[str | int] = []
    while trail is not None:
        tokens.append(trail.token)
        trail = trail.outer
    return tokens[::-1]


def _flaw(root: object, most_depth: int, most_values: int) -> _Flaw | None:
    """The first thing that is wrong with `root` as JSON, found without recursion and in bounded work."""
    stack: list[tuple[object, _Trail | None, int]] = [(root, None, 1)]
    seen = 1
    while stack:
        value, trail, depth = stack.pop()
        words = _wrong_with(value)
        if words is not None:
            return _Flaw(trail, words)
        if not isinstance(value, dict | list):
            continue
        seen += len(value)
        if seen > most_values:
            return _Flaw(trail, f"more than {most_values:,} values")
        if depth >= most_depth and value:
            return _Flaw(trail, f"nested deeper than {most_depth} levels")
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        stack.extend((child, _Trail(trail, token), depth + 1) for token, child in inner)
    return None


def _wrong_with(value: object) -> str | None:
    if isinstance(value, str):
        return None if _encodable(value) else "half a surrogate pair"
    if isinstance(value, float):
        return None if math.isfinite(value) else "NaN or Infinity"
    if isinstance(value, int):
        return None if value.bit_length() <= _MOST_INT_BITS else "a number of thousands of digits"
    if isinstance(value, dict):
        return None if all(isinstance(key, str) and _encodable(key) for key in value) else "a name that is not text"
    return None if value is None or isinstance(value, list) else "not a JSON value"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _quoted(value: object) -> str:
    """`value` as JSON in one short line, for a sentence."""
    if isinstance(value, dict):
        return "an object" if value else "{}"
    if isinstance(value, list):
        return "a list" if value else "[]"
    if isinstance(value, str):
        return json.dumps(clean(value[: 10 * _QUOTED_CHARS], _QUOTED_CHARS), ensure_ascii=False)
    return clean(json.dumps(value), _QUOTED_CHARS)


def _listed(values: Iterable[object]) -> str:
    """A few of `values` in a row; more are counted."""
    values = list(values)
    more = f" and {len(values) - _OPTIONS_NAMED} more" if len(values) > _OPTIONS_NAMED else ""
    return ", ".join(_quoted(value) for value in values[:_OPTIONS_NAMED]) + more


def _dotted(tokens: Iterable[str | int]) -> str:
    place = ".".join(clean(str(token), _PLACE_CHARS) for token in tokens)
    return _one_line(place) or "the answer"


def _pointer(tokens: Iterable[str | int], base: str = "#") -> str:
    escaped = (str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
    return "/".join([base, *escaped])


def _one_line(place: str) -> str:
    return " ".join(clean(place, _PLACE_CHARS).split())


def _refused(place: str, words: str) -> SchemaRefused:
    return SchemaRefused(f"output_schema, at {_one_line(place)}: {words}.")


# Lint


@dataclass(frozen=True, slots=True)
class _Inner:
    """A schema inside a schema: under which keyword, at which place."""

    keyword: str
    tokens: tuple[str | int, ...]
    schema: Any
    place: str


@dataclass(frozen=True, slots=True)
class _Subschema:
    """One schema object as written, how many steps below the root it is, and those directly inside it."""

    place: str
    schema: dict[str, Any]
    under: str
    steps: int
    inner: tuple[_Inner, ...]


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as plain JSON values, or a refusal."""
    if not isinstance(schema, Mapping):
        raise _refused("#", 'a schema must be an object such as {"type": "object", "properties": {...}}')
    root = dict(schema)
    flaw = _flaw(root, _MOST_SCHEMA_DEPTH, _MOST_VALUES)
    if flaw is not None:
        raise _refused(_pointer(_tokens(flaw.trail)), f"{flaw.words}; a schema must be plain JSON and small")
    return root


def _check_size(root: dict[str, Any]) -> None:
    chars = len(json.dumps(root, separators=(",", ":"), ensure_ascii=False))
    if chars > _MOST_CHARS:
        raise _refused(
            "#", f"{chars:,} characters, and Parallel takes {_MOST_CHARS:,}; shorten descriptions or drop properties"
        )


def _check_root(root: dict[str, Any]) -> None:
    for keyword in _ROOT_UNIONS:
        if keyword in root:
            raise _refused(f"#/{keyword}", f"Parallel takes no {keyword} at the root; move it into a property")
    if root.get("type") != "object":
        raise _refused("#/type", 'the root must have "type": "object"; put another type into a property')
    if not isinstance(root.get("properties"), dict) or not root["properties"]:
        raise _refused("#/properties", "the root must name at least one property")


def _subschemas(root: dict[str, Any]) -> dict[str, _Subschema]:
    """Every schema object that is written in `root`, by place, the root first."""
    found: dict[str, _Subschema] = {}
    waiting = [(_Inner("", (), root, "#"), 0)]
    while waiting:
        here, steps = waiting.pop()
        if here.schema is True or here.schema is False:
            _check_boolean(here)
            continue
        if not isinstance(here.schema, dict):
            raise _refused(here.place, 'a schema must be an object such as {"type": "string"}')
        if steps > _MOST_STEPS:
            raise _refused(here.place, f"more than {_MOST_STEPS} schemas inside each other; make it flatter")
        if len(found) >= _MOST_SUBSCHEMAS:
            raise _refused(here.place, f"more than {_MOST_SUBSCHEMAS:,} schemas in all; make it smaller")
        inner = tuple(_inner(here.schema, here.place))
        found[here.place] = _Subschema(here.place, here.schema, here.keyword, steps, inner)
        waiting.extend((each, steps + 1) for each in reversed(inner))
    return found


def _check_boolean(here: _Inner) -> None:
    if here.keyword not in _MAY_BE_BOOLEAN:
        raise _refused(here.place, 'true and false are no schemas here; write an object such as {"type": "string"}')


def _inner(schema: dict[str, Any], place: str) -> Iterator[_Inner]:
    for keyword, value in schema.items():
        at = f"{place}/{keyword}"
        if keyword in _ONE:
            yield _Inner(keyword, (), value, at)
        elif keyword in _LISTED:
            if not isinstance(value, list):
                raise _refused(at, "must be a list of schemas")
            yield from (_Inner(keyword, (i,), each, _pointer((i,), at)) for i, each in enumerate(value))
        elif keyword in _NAMED:
            if not isinstance(value, dict):
                raise _refused(at, "must be an object of schemas by name")
            yield from (_Inner(keyword, (name,), each, _pointer((name,), at)) for name, each in value.items())


def _check_keywords(subschemas: Mapping[str, _Subschema]) -> None:
    """Each schema object for itself against the metaschema, so that nothing recurses with the caller's nesting."""
    metaschema = Draft202012Validator(Draft202012Validator.META_SCHEMA, registry=Registry())
    passed: set[str] = set()
    for place, subschema in subschemas.items():
        shell = _shell(subschema.schema)
        text = json.dumps(shell)
        if text in passed:
            continue
        for error in metaschema.iter_errors(shell):
            on_progress = _telling(error)
            raise _refused(
                _pointer(on_progress.absolute_path, place), f"not a valid JSON schema: {_words(on_progress)}"
            )
        passed.add(text)


def _shell(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema object with the schemas inside it, and the texts about it, emptied."""
    kept: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _NAMED:
            kept[keyword] = {}
        elif keyword in _LISTED:
            kept[keyword] = [True] if value else []
        elif keyword in _ONE:
            kept[keyword] = True
        elif keyword in {"title", "description", "$comment"} and isinstance(value, str):
            kept[keyword] = ""
        elif keyword not in _NOT_FOR_METASCHEMA:
            kept[keyword] = value
    return kept


def _check_properties(subschemas: Mapping[str, _Subschema]) -> None:
    count = 0
    for place, subschema in subschemas.items():
        count += len(subschema.schema.get("properties", ()))
        if count > _MOST_PROPERTIES:
            raise _refused(
                f"{place}/properties", f"more than {_MOST_PROPERTIES} properties in all; ask for fewer at a time"
            )
        if subschema.schema.get("type") == "null" and subschema.under not in {"anyOf", "oneOf"}:
            raise _refused(f"{place}/type", 'Parallel takes null only beside a type, as in ["string", "null"]')


def _check_enums(subschemas: Mapping[str, _Subschema]) -> None:
    count = 0
    for place, subschema in subschemas.items():
        values = subschema.schema.get("enum", [])
        count += len(values)
        if count > _MOST_ENUM_VALUES:
            raise _refused(f"{place}/enum", f"more than {_MOST_ENUM_VALUES} enum values in all; list fewer")
        chars = sum(len(value) for value in values if isinstance(value, str))
        if len(values) > _LARGE_ENUM_VALUES and chars > _LARGE_ENUM_CHARS:
            raise _refused(
                f"{place}/enum",
                f"{chars:,} characters in more than {_LARGE_ENUM_VALUES} enum values, and Parallel takes "
                f"{_LARGE_ENUM_CHARS:,}; shorten them or list fewer",
            )


def _check_refs(subschemas: Mapping[str, _Subschema]) -> None:
    for place, subschema in subschemas.items():
        for keyword in _OTHER_REFS:
            if keyword in subschema.schema:
                raise _refused(f"{place}/{keyword}", 'use "$ref" with a place under "#/$defs/" in its stead')
        if "$id" in subschema.schema and place != "#":
            raise _refused(f"{place}/$id", "remove it: it would change what references mean")
        if "$ref" in subschema.schema:
            _check_ref(f"{place}/$ref", subschema.schema["$ref"], subschemas)


def _check_ref(place: str, ref: str, subschemas: Mapping[str, _Subschema]) -> None:
    if ref == "#":
        raise _refused(place, "refers to the whole schema, so that it has no end; write the levels out")
    if not ref.startswith("#/"):
        raise _refused(place, f'{_quoted(ref)} is not inside this schema; copy it under "$defs" and use "#/$defs/..."')
    if _target(ref) not in subschemas:
        raise _refused(place, f'there is no schema at {_quoted(ref)}; define it under "$defs"')


def _target(ref: str) -> str:
    """The place that a local reference names, spelt as `_pointer` spells it."""
    tokens = unquote(ref).split("/")[1:]
    return _pointer(token.replace("~1", "/").replace("~0", "~") for token in tokens)


@dataclass(frozen=True, slots=True)
class _Visit:
    """A schema on the way through the expanded schema; `refs` are the references followed to reach it."""

    place: str
    level: int
    steps: int
    refs: tuple[str, ...]


def _check_expansion(subschemas: Mapping[str, _Subschema]) -> None:
    """Follow every reference, as validation will: no cycle, no more levels and no more schemas than are bearable."""
    waiting = [_Visit("#", 1, 0, ())]
    waiting += [_Visit(each.place, 1, 0, ()) for each in _defined(subschemas)]
    visits = 0
    while waiting:
        visit = waiting.pop()
        visits += 1
        if visits > 2 * _MOST_SUBSCHEMAS:
            raise _refused(visit.place, "too many schemas once references are followed; refer to fewer")
        if visit.steps > _MOST_STEPS:
            raise _refused(visit.place, f"more than {_MOST_STEPS} schemas inside each other; make it flatter")
        subschema = subschemas[visit.place]
        if visit.level > _MOST_LEVELS and _is_container(subschema.schema):
            raise _refused(
                visit.place,
                f"objects and lists nested deeper than {_MOST_LEVELS} levels (the root is the first); make it flatter",
            )
        waiting.extend(_next_visits(visit, subschema))


def _defined(subschemas: Mapping[str, _Subschema]) -> Iterator[_Inner]:
    for subschema in subschemas.values():
        yield from (each for each in subschema.inner if each.keyword in _DEFINITIONS)


def _next_visits(visit: _Visit, subschema: _Subschema) -> Iterator[_Visit]:
    ref = subschema.schema.get("$ref")
    if ref is not None:
        target = _target(ref)
        if target in visit.refs:
            raise _refused(f"{visit.place}/$ref", "refers to itself, so that it has no end; write the levels out")
        yield _Visit(target, visit.level, visit.steps + 1, (*visit.refs, target))
    for each in subschema.inner:
        if each.keyword not in _DEFINITIONS and isinstance(each.schema, dict):
            level = visit.level if each.keyword in _SAME_VALUE else visit.level + 1
            yield _Visit(each.place, level, visit.steps + 1, visit.refs)


def _is_container(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    if kind is None:
        return any(keyword in schema for keyword in _CONTAINER_KEYWORDS)
    return bool({"object", "array"} & set([kind] if isinstance(kind, str) else kind))


def _warnings(subschemas: Mapping[str, _Subschema]) -> list[str]:
    places: dict[str, list[str]] = {}
    for place, subschema in subschemas.items():
        for keyword in subschema.schema:
            places.setdefault(keyword, []).append(place)
    groups = (
        (_NEVER_RUN, "is never run, neither by Parallel nor here; say it in the description"),
        (_UNCHECKED, "is neither enforced by Parallel nor checked here; say it in the description"),
        (_CHECKED_HERE, "is not enforced by Parallel; checked here on the answer"),
    )
    return [
        f"`{keyword}` at {_some(places[keyword])} {words}."
        for keywords, words in groups
        for keyword in keywords
        if keyword in places
    ]


def _some(places: list[str]) -> str:
    more = f" and {len(places) - _PLACES_NAMED} more" if len(places) > _PLACES_NAMED else ""
    return ", ".join(_one_line(place) for place in places[:_PLACES_NAMED]) + more


# Reading

_FENCED = re.compile(r"\A(?P<fence>```+|~~~+)[^\n`{\[]*\n(?P<inside>.*)\n[ \t]*(?P=fence)\Z", re.DOTALL)
_OPENING = re.compile(r'\{(?=\s*["}])')
_BRACE_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}]', re.DOTALL)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# Not strict: models put bare newlines into strings.
_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant)


def _sound(value: Any) -> Any:
    flaw = _flaw(value, _MOST_ANSWER_DEPTH, _MOST_ANSWER_VALUES)
    if flaw is not None:
        raise ValueError(f"the JSON has {flaw.words}")
    return value


def _object_in(text: str) -> dict[str, Any]:
    """The object that prose stands around. One pass finds the braces and one try reads the longest run."""
    start = max(islice(_runs(text), _MOST_RUNS), key=lambda run: run[1] - run[0], default=(0, 0))[0]
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        raise ValueError("there is no whole JSON object in the text") from None
    if not isinstance(value, dict):
        raise ValueError("there is no JSON object in the text")
    return value


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each outermost run of balanced braces; one that never closes ends with the text."""
    position = 0
    while opening := _OPENING.search(text, position):
        position = _closing(text, opening.start())
        yield opening.start(), position


def _closing(text: str, start: int) -> int:
    open_braces = 0
    for token in _BRACE_OR_STRING.finditer(text, start):
        open_braces += {"{": 1, "}": -1}.get(token[0], 0)
        if open_braces == 0:
            return token.end()
    return len(text)


# Validation

_RUN = frozenset(Draft202012Validator.VALIDATORS) | {"then", "else", "minContains", "maxContains"}
_LEFT_OUT = frozenset({"$ref", "$dynamicRef", "format", *_NEVER_RUN})


class _TooMuchWork(Exception):
    """The bound on work is reached; only `problems` sees it."""


class _Softened:
    """The schema as it is run: references written out, and without what is never run.

    Leaving a check out can only let more through, except under what turns a match into a problem: `not`, `if`,
    `oneOf`, `maxContains`, `additionalProperties` beside `patternProperties`, and `unevaluated...`. There the
    keyword goes too, or becomes a milder one.
    """

    def __init__(self, subschemas: Mapping[str, _Subschema]) -> None:
        self._subschemas = subschemas
        self._done: dict[str, tuple[dict[str, Any], bool]] = {}
        self._any_names = any("patternProperties" in each.schema for each in subschemas.values())

    def root(self) -> dict[str, Any]:
        return self._soften("#")[0]

    def _soften(self, place: str) -> tuple[dict[str, Any], bool]:
        """The schema at `place` as it is run, and whether a check was left out in it."""
        if place not in self._done:
            self._done[place] = self._softened(self._subschemas[place])
        return self._done[place]

    def _softened(self, subschema: _Subschema) -> tuple[dict[str, Any], bool]:
        written = subschema.schema
        kept = {key: value for key, value in written.items() if key in _RUN - _LEFT_OUT}
        left_out: set[str] = {key for key in _NEVER_RUN if key in written}
        for inner in subschema.inner:
            if inner.keyword not in kept or not isinstance(inner.schema, dict):
                continue
            soft, missing = self._soften(inner.place)
            _put(kept, written, inner, soft)
            if missing:
                left_out.add(inner.keyword)
        if "$ref" in written:
            target, missing = self._soften(_target(written["$ref"]))
            kept["allOf"] = [*kept.get("allOf", ()), target]
            if missing:
                left_out.add("allOf")
        self._make_milder(kept, left_out)
        return kept, bool(left_out)

    def _make_milder(self, kept: dict[str, Any], left_out: set[str]) -> None:
        if "patternProperties" in left_out:
            kept.pop("additionalProperties", None)
        if self._any_names:
            kept.pop("unevaluatedProperties", None)
        if "not" in left_out:
            kept.pop("not", None)
        if "if" in left_out:
            kept.pop("if", None)
        if "contains" in left_out:
            kept.pop("maxContains", None)
        if "oneOf" in left_out:
            kept["allOf"] = [*kept.get("allOf", ()), {"anyOf": kept.pop("oneOf")}]


def _put(kept: dict[str, Any], written: dict[str, Any], inner: _Inner, soft: dict[str, Any]) -> None:
    """Put a softened schema where the written one was, without touching the written one."""
    if not inner.tokens:
        kept[inner.keyword] = soft
        return
    if kept[inner.keyword] is written[inner.keyword]:
        kept[inner.keyword] = written[inner.keyword].copy()
    kept[inner.keyword][inner.tokens[0]] = soft


_Check = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


class _Work:
    """Counts work down, and stops the validation when none is left."""

    def __init__(self, units: int) -> None:
        self._left = units

    def spend(self, units: int) -> None:
        self._left -= units
        if self._left < 0:
            raise _TooMuchWork

    def counted(self, keyword: str, check: _Check) -> Callable[[Any, Any, Any, Any], Iterator[ValidationError]]:
        """`check`, paying for the size of what it looks at and of the message it writes."""

        def run(validator: Any, rule: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
            self.spend(1 + _cost(keyword, rule, value))
            for error in check(validator, rule, value, schema) or ():
                self.spend(len(error.message) // 100)
                yield error

        return run


def _cost(keyword: str, rule: Any, value: Any) -> int:
    if keyword == "enum":
        return len(rule)
    if not isinstance(value, dict | list):
        return 0
    # jsonschema looks each item up in a list of those already evaluated.
    return len(value) ** 2 // 100 if keyword.startswith("unevaluated") else len(value)


def _validator(schema: dict[str, Any]) -> Any:
    """A validator that fetches nothing, knows no formats and works within bounds."""
    work = _Work(_MOST_WORK)
    checks: dict[str, _Check] = {**Draft202012Validator.VALIDATORS, "multipleOf": _multiple, "uniqueItems": _unique}
    counted = {keyword: work.counted(keyword, check) for keyword, check in checks.items()}
    bounded: Any = extend(Draft202012Validator, counted)  # type: ignore[no-untyped-call]
    return bounded(schema, registry=Registry())


def _multiple(_validator: Any, step: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """`multipleOf` in decimal, as written: 0.3 is a multiple of 0.1, and large integers do not overflow."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if Fraction(repr(value)) % Fraction(repr(step)) != 0:
        yield ValidationError("not a multiple")


def _unique(_validator: Any, wanted: Any, value: Any, _schema: Any) -> Iterator[ValidationError]:
    """`uniqueItems` in linear time, by the items' JSON text."""
    if wanted and isinstance(value, list) and len({_identity(item) for item in value}) < len(value):
        yield ValidationError("not unique")


def _identity(value: Any) -> str:
    """Text that is equal for values that are equal in JSON: 1 and 1.0 are, 1 and true are not."""
    return json.dumps(_integral(value), sort_keys=True)


def _integral(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _integral(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_integral(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Words


def _telling(error: ValidationError) -> ValidationError:
    """The error that says most: within a union, that of the one form whose type fits."""
    while error.context:
        fitting = [each for each in error.context if each.validator != "type" or each.relative_path]
        if len({next(iter(each.relative_schema_path), None) for each in fitting}) != 1:
            return error
        error = fitting[0]
    return error


def _sentence(error: ValidationError) -> str:
    return f"{_dotted(error.absolute_path)}: {_words(error)}"


def _words(error: ValidationError) -> str:
    """What is wrong, in our words: jsonschema's own print the whole value."""
    keyword, rule, value = str(error.validator), error.validator_value, error.instance
    if keyword in _LIMITS:
        return _LIMITS[keyword].format(rule=_quoted(rule), value=_quoted(value))
    if keyword in _PHRASES:
        return _PHRASES[keyword](error)
    return f"{_quoted(value)} is not allowed here"


_LIMITS = {
    "const": "expected {rule}, not {value}",
    "minimum": "{value} is less than {rule}",
    "maximum": "{value} is more than {rule}",
    "exclusiveMinimum": "{value} is not more than {rule}",
    "exclusiveMaximum": "{value} is not less than {rule}",
    "multipleOf": "{value} is not a multiple of {rule}",
    "minLength": "{value} is shorter than {rule} characters",
    "maxLength": "{value} is longer than {rule} characters",
    "minItems": "fewer than {rule} items",
    "maxItems": "more than {rule} items",
    "uniqueItems": "has the same item twice",
    "contains": "no item is of the form that one must have (contains)",
    "minContains": "fewer than {rule} items are of the form that they must have (contains)",
    "maxContains": "more than {rule} items are of a form that is limited (contains)",
    "minProperties": "fewer than {rule} properties",
    "maxProperties": "more than {rule} properties",
    "not": "{value} is of a form that is ruled out (not)",
    "pattern": "{value} is not of the right form",
    "unevaluatedItems": "has items that are not in the schema",
    "unevaluatedProperties": "has properties that are not in the schema",
}

_TYPES = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "null",
    "object": "an object",
    "array": "a list",
}


def _types(names: str | Iterable[str]) -> str:
    names = [names] if isinstance(names, str) else names
    return " or ".join(dict.fromkeys(_TYPES.get(name, name) for name in names))


def _wrong_type(error: ValidationError) -> str:
    names: Any = error.validator_value
    return f"expected {_types(names)}, not {_quoted(error.instance)}"


def _wrong_choice(error: ValidationError) -> str:
    options: Any = error.validator_value
    return f"expected one of {_listed(options)}, not {_quoted(error.instance)}"


def _missing(error: ValidationError) -> str:
    names: Any = error.validator_value
    value: Any = error.instance
    return f"lacks {_listed(name for name in dict.fromkeys(names) if name not in value)}"


def _missing_beside(error: ValidationError) -> str:
    needed_by: Any = error.validator_value
    value: Any = error.instance
    needed = (name for present, names in needed_by.items() if present in value for name in names)
    return f"lacks {_listed(dict.fromkeys(name for name in needed if name not in value))}"


def _unexpected(error: ValidationError) -> str:
    schema: Any = error.schema
    value: Any = error.instance
    return f"has {_listed(name for name in value if name not in schema.get('properties', ()))}, not in the schema"


def _no_form_fits(error: ValidationError) -> str:
    forms: Any = error.validator_value
    if not error.context:
        return f"{_quoted(error.instance)} is of more than one form, and only one may fit (oneOf)"
    if all(each.validator == "type" and not each.relative_path for each in error.context):
        return f"expected {_types(_type_names(error.context))}, not {_quoted(error.instance)}"
    return f"{_quoted(error.instance)} is of none of the {len(forms)} forms that it may have"


def _type_names(errors: Iterable[ValidationError]) -> Iterator[str]:
    for error in errors:
        names: Any = error.validator_value
        yield from [names] if isinstance(names, str) else names


_PHRASES: dict[str, Callable[[ValidationError], str]] = {
    "type": _wrong_type,
    "enum": _wrong_choice,
    "required": _missing,
    "dependentRequired": _missing_beside,
    "additionalProperties": _unexpected,
    "anyOf": _no_form_fits,
    "oneOf": _no_form_fits,
}
