"""What keeps a value from fitting a schema, found in bounded work."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from parallel_mcp.schemas.places import dotted
from parallel_mcp.schemas.subschemas import Inner, Subschema, plain, subschemas_of, target_of
from parallel_mcp.schemas.values import MOST_ANSWER_DEPTH, MOST_ANSWER_VALUES, flaw_of, tokens
from parallel_mcp.schemas.words import sentence_of, telling

_MOST_WORK = 200_000
_MOST_ERRORS = 200

NEVER_RUN = ("pattern", "patternProperties")


def problems(schema: Mapping[str, Any], value: Any, limit: int = 5) -> list[str]:
    """What keeps `value` from fitting `schema`, at most `limit` short sentences; none if it fits.

    `schema` has passed `lint`. `pattern`, `patternProperties` and `format` are not looked at, and nothing that hangs
    on them can make a problem of its own. The work is bounded: of a very large value only a part is checked, and the
    last sentence says so. Never raises.
    """
    flaw = flaw_of(value, MOST_ANSWER_DEPTH, MOST_ANSWER_VALUES)
    if flaw is not None:
        return [f"{dotted(tokens(flaw.trail))}: cannot be checked, {flaw.words}"][:limit]
    validator = _validator(_Softened(subschemas_of(plain(schema))).root())
    found: list[str] = []
    try:
        for error in islice(validator.iter_errors(value), _MOST_ERRORS):
            sentence = sentence_of(telling(error))
            if sentence not in found:
                found.append(sentence)
            if len(found) >= limit:
                break
    except _TooMuchWork:
        found.append("the answer is too large to check whole; the rest was not checked")
    return found[:limit]


_RUN = frozenset(Draft202012Validator.VALIDATORS) | {"then", "else", "minContains", "maxContains"}
_LEFT_OUT = frozenset({"$ref", "$dynamicRef", "format", *NEVER_RUN})


class _TooMuchWork(Exception):
    """The bound on work is reached; only `problems` sees it."""


class _Softened:
    """The schema as it is run: references written out, and without what is never run.

    Leaving a check out can only let more through, except under what turns a match into a problem: `not`, `if`,
    `oneOf`, `maxContains`, `additionalProperties` beside `patternProperties`, and `unevaluated...`. There the
    keyword goes too, or becomes a milder one.
    """

    def __init__(self, subschemas: Mapping[str, Subschema]) -> None:
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

    def _softened(self, subschema: Subschema) -> tuple[dict[str, Any], bool]:
        written = subschema.schema
        kept = {key: value for key, value in written.items() if key in _RUN - _LEFT_OUT}
        left_out: set[str] = {key for key in NEVER_RUN if key in written}
        for inner in subschema.inner:
            if inner.keyword not in kept or not isinstance(inner.schema, dict):
                continue
            soft, missing = self._soften(inner.place)
            _put(kept, written, inner, soft)
            if missing:
                left_out.add(inner.keyword)
        if "$ref" in written:
            target, missing = self._soften(target_of(written["$ref"]))
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


def _put(kept: dict[str, Any], written: dict[str, Any], inner: Inner, soft: dict[str, Any]) -> None:
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
