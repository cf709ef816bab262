"""An answer in the form that was asked for: text, a JSON object, or a caller's schema filled field by field.

A schema is data from a stranger: references are followed only inside it and only so far, no pattern is ever run, and
every walk over it is bounded in depth and in size.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from parallel_mcp.sandbox.engine import NOT_FOUND, NOTICE, Engine, Findings, Model, Source, one_line, prose_answer
from parallel_mcp.sandbox.words import terms

Schema = Mapping[str, Any]

# What the research models take.
MAX_NESTING = 5
MAX_PROPERTIES = 100
MAX_CHARACTERS = 25_000
MAX_ENUM = 500

DEPTH = 8  # how deep a value is filled
VALUES = 400  # how many values one answer is filled with
SEARCHES = 16  # how many fields get a search of their own
LISTED = 3  # elements of a list whose length is left open


class SchemaError(ValueError):
    """A schema that the research models refuse. The text names the place."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes on the wire: the content, and one basis entry for each field."""

    content: str
    basis: list[dict[str, Any]]


def reply(
    engine: Engine,
    question: str,
    context: tuple[str, ...],
    model: Model,
    schema: Schema | None,
    *,
    json_object: bool = False,
) -> Reply:
    """Answer a question in the form asked for."""
    findings = engine.search(question, model, context)
    if schema is not None:
        return _Filling(engine, question, context, model, schema, findings).reply()
    if json_object:
        value = {"answer": _told(findings), "citations": [source.document.url for source in findings.sources]}
        return Reply(json.dumps(value, ensure_ascii=False), [entry(name, findings) for name in value])
    content = prose_answer(findings, listed=model == "speed")
    return Reply(content, [entry("output", findings)])


def entry(name: str, findings: Findings, sources: tuple[Source, ...] | None = None) -> dict[str, Any]:
    """One basis entry on the wire."""
    cited = findings.sources if sources is None else sources
    return {
        "field": name,
        "reasoning": findings.reasoning,
        "citations": [
            {"url": source.document.url, "title": source.document.title, "excerpts": list(source.excerpts)}
            for source in cited
        ],
        "confidence": findings.confidence if cited else "low",
    }


def _told(findings: Findings) -> str:
    return prose_answer(findings, listed=False)


# The rules for schemas


def check(schema: Schema) -> None:
    """Refuse what the research models refuse. Raises SchemaError naming the place."""
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
            raise SchemaError(f"at {place}: over {MAX_PROPERTIES} properties in all")
        if characters > MAX_CHARACTERS:
            raise SchemaError(f"at {place}: over {MAX_CHARACTERS:,} characters of names and text in all")
        options = part.get("enum")
        if isinstance(options, list) and len(options) > MAX_ENUM:
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
    """Every part of a schema as it is written, with its place and how many objects and lists it stands in.

    Parts of `$defs` are walked where they stand, so that a definition that refers to itself comes to an end.
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
            waiting.extend((f"{inside}{name}", value, depth) for value in _options(part, name))


def _options(part: Schema, name: str) -> list[Any]:
    options = part.get(name)
    return options if isinstance(options, list) else []


def resolve(part: object, root: Schema) -> Schema:
    """A part of a schema with its local references followed. What cannot be followed is an empty schema."""
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


# Filling

_ADDRESS = re.compile(r"citation|source|url|link|reference|homepage|website", re.IGNORECASE)
_REASONING = re.compile(r"reason|rationale|explanation|thinking|thought|justification", re.IGNORECASE)
_ANSWER = re.compile(r"^(?:final_?|direct_?)?(?:answer|output|response|result|text|content)$", re.IGNORECASE)
_NAME = re.compile(r"^(?:.*_)?(?:name|title|package|library|project|document)$", re.IGNORECASE)
_CONFIDENCE = re.compile(r"confidence|certainty", re.IGNORECASE)
_QUOTE = re.compile(r"quote|excerpt|evidence|snippet", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:,\d{3})*(?:\.\d+)?(?![\w.]*\d)")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_VERSION = re.compile(r"\bv?\d+\.\d+(?:\.\d+)*\b")
_NO = re.compile(r"\b(?:not|no|never|cannot|without|unsupported|removed|illegal)\b|n['’]t\b", re.IGNORECASE)

_ABSENT = object()  # no honest value, and the field may be left out


@dataclass(slots=True)
class _Filling:
    """Fills one schema."""

    engine: Engine
    question: str
    context: tuple[str, ...]
    model: Model
    schema: Schema
    findings: Findings
    _values: int = 0
    _searches: int = 0
    basis: list[dict[str, Any]] = field(default_factory=list)

    def reply(self) -> Reply:
        root = resolve(self.schema, self.schema)
        if isinstance(root.get("properties"), dict):
            value: object = self._object(root, "", self.findings, 0, top=True)
        else:
            value = self._value(self.schema, "output", self.findings, 0)
            value = None if value is _ABSENT else value
            self.basis = [entry("output", self.findings)]
        return Reply(json.dumps(value, ensure_ascii=False), self.basis)

    def _object(self, part: Schema, path: str, findings: Findings, depth: int, *, top: bool = False) -> dict[str, Any]:
        properties = _named(part.get("properties"))
        needed = _needed(part)
        filled: dict[str, Any] = {}
        for name, inner in properties.items():
            if self._values >= VALUES and name not in needed:
                continue
            found = self._search(name, inner) if top else findings
            value = self._value(inner, name, found, depth + 1, required=name in needed)
            if value is _ABSENT:
                continue
            filled[name] = value
            if top:
                self._support(name, value, found)
        return {**filled, **dict.fromkeys(sorted(needed - properties.keys()))}

    def _support(self, name: str, value: object, findings: Findings) -> None:
        """Basis entries of a top-level field, and of each element of a list."""
        cited = findings.sources if value not in (None, "", [], {}) else ()
        self.basis.append(entry(name, findings, cited))
        if isinstance(value, list):
            for number in range(len(value)):
                own = cited[number : number + 1] or cited[:1]
                self.basis.append(entry(f"{name}.{number}", findings, own))

    def _search(self, name: str, part: object) -> Findings:
        """What bears on one field: the question's own findings where the field is about the answer as a whole."""
        whole = any(rule.search(name) for rule in (_ADDRESS, _REASONING, _ANSWER, _CONFIDENCE, _QUOTE, _NAME))
        if whole or not self.findings.sources or self._searches >= SEARCHES:
            return self.findings
        self._searches += 1
        inner = resolve(part, self.schema)
        description = inner.get("description")
        focus = f"{name.replace('_', ' ')} {description if isinstance(description, str) else ''}"
        found = self.engine.search(self.question, self.model, self.context, focus[:500])
        return found if found.sources else self.findings

    def _value(self, part: object, name: str, findings: Findings, depth: int, *, required: bool = True) -> Any:
        """A value for one part of the schema, or _ABSENT where none can be found and none is owed."""
        self._values += 1
        inner = self._chosen(resolve(part, self.schema), depth)
        if depth > DEPTH or self._values > VALUES:
            return self._nothing(inner, required)
        if "const" in inner:
            return inner["const"]
        options = inner.get("enum")
        if isinstance(options, list) and options:
            return self._option(options, findings)
        kind = _kind(inner)
        made = getattr(self, f"_{kind}", self._string)(inner, name, findings, depth)
        return self._nothing(inner, required) if made is None and kind != "null" else made

    def _chosen(self, part: Schema, depth: int) -> Schema:
        """One schema out of anyOf, oneOf and allOf: all of the last, the first of the others that is not null."""
        for _ in range(DEPTH):
            merged = dict(part)
            for each in _options(part, "allOf"):
                merged = _merged(merged, resolve(each, self.schema))
            merged.pop("allOf", None)
            options = _options(part, "anyOf") or _options(part, "oneOf")
            if not options:
                return merged
            resolved = [resolve(each, self.schema) for each in options]
            best = next((each for each in resolved if _kind(each) != "null"), resolved[0])
            nullable = any(_kind(each) == "null" for each in resolved)
            part = {key: value for key, value in merged.items() if key not in ("anyOf", "oneOf")}
            part = {**_merged(part, best), **({"x-nullable": True} if nullable else {})}
            if not any(key in best for key in ("anyOf", "oneOf", "allOf", "$ref")):
                return part
            part = dict(resolve(part, self.schema))
        return {}

    def _nothing(self, part: Schema, required: bool) -> Any:
        """What stands for "not found": null where allowed, nothing where optional, else the type's zero."""
        kinds = part.get("type")
        if part.get("x-nullable") or kinds == "null" or (isinstance(kinds, list) and "null" in kinds):
            return None
        if not required:
            return _ABSENT
        return self._blank(part, _kind(part), DEPTH)

    def _blank(self, part: Schema, kind: str, left: int) -> Any:
        """The plainest value of a type that the schema allows, for a field that is owed one."""
        if kind in {"integer", "number"}:
            ends = (0, 1, part.get("minimum"), part.get("maximum"))
            return next((end for end in ends if isinstance(end, int | float) and _allowed(end, part)), 0)
        if kind == "string":
            return _cut(NOT_FOUND, part)
        self._values += 1
        if kind != "object" or left <= 0 or self._values > 2 * VALUES:
            return {"boolean": False, "array": [], "object": {}}.get(kind)
        properties = part.get("properties")
        inner = {
            name: resolve(each, self.schema) for name, each in (_named(properties)).items() if name in _needed(part)
        }
        return {name: self._blank(each, _kind(each), left - 1) for name, each in inner.items()}

    def _option(self, options: list[Any], findings: Findings) -> Any:
        """The option that the findings speak of most; null, or the first, where they speak of none."""
        text = _text(findings).lower()
        said = terms(text)
        counts = [
            (
                sum(said.count(one) for one in terms(str(option)))
                if isinstance(option, str)
                else text.count(str(option)),
                -at,
            )
            for at, option in enumerate(options)
        ]
        best, at = max(counts)
        return None if not best and None in options else options[-at]

    def _null(self, part: Schema, name: str, findings: Findings, depth: int) -> None:
        return None

    def _boolean(self, part: Schema, name: str, findings: Findings, depth: int) -> bool | None:
        if not findings.sources:
            return None
        return not _NO.search(findings.sources[0].excerpts[0])

    def _integer(self, part: Schema, name: str, findings: Findings, depth: int) -> int | None:
        found = self._number(part, name, findings, depth, whole=True)
        return None if found is None else int(found)

    def _number(self, part: Schema, name: str, findings: Findings, depth: int, whole: bool = False) -> float | None:
        pattern = _YEAR if "year" in name.lower() else _NUMBER
        for said in pattern.findall(_text(findings)):
            number = float(said.replace(",", ""))
            if (not whole or number.is_integer()) and _allowed(number, part):
                return int(number) if number.is_integer() else number
        return None

    def _string(self, part: Schema, name: str, findings: Findings, depth: int) -> str | None:
        said = self._said(part, name, findings)
        return None if said is None else _cut(said, part)

    def _said(self, part: Schema, name: str, findings: Findings) -> str | None:
        if _REASONING.search(name):
            return findings.reasoning
        if _CONFIDENCE.search(name):
            return findings.confidence
        if _ANSWER.search(name) or name == "output":
            return _told(findings)
        if not findings.sources:
            return None
        first = findings.sources[0]
        if _ADDRESS.search(name):
            return first.document.url
        if _NAME.search(name):
            return first.document.name
        for word, pattern in (("version", _VERSION), ("year", _YEAR)):
            if word in name.lower():
                match = pattern.search(_text(findings)) or pattern.search(first.document.title)
                return match[0] if match else None
        return one_line(first.excerpts[0])

    def _array(self, part: Schema, name: str, findings: Findings, depth: int) -> list[Any] | None:
        least, most = _bounds(part)
        items = resolve(part.get("items"), self.schema)
        singles = [
            Findings((source,), findings.confidence, findings.reasoning, findings.evidence)
            for source in findings.sources
        ]
        if _kind(items) == "string" and not _ADDRESS.search(name) and not _NAME.search(name) and "enum" not in items:
            values: list[Any] = [one_line(excerpt) for source in findings.sources for excerpt in source.excerpts]
        elif depth >= DEPTH:
            values = []
        else:
            values = [self._value(items, _singular(name), single, depth + 1) for single in singles[:most]]
        values = _distinct([value for value in values if value is not _ABSENT])[:most]
        while len(values) < least and self._values < VALUES:
            values.append(self._value(items, _singular(name), self.findings, depth + 1))
        return values


def _kind(part: Schema) -> str:
    """The type to fill: the first that is not null where several are allowed."""
    kinds = part.get("type")
    if isinstance(kinds, list):
        kinds = next((kind for kind in kinds if kind != "null"), "null" if kinds else None)
    if isinstance(kinds, str) and kinds in {"string", "number", "integer", "boolean", "array", "object", "null"}:
        return kinds
    return "object" if "properties" in part else "array" if "items" in part else "string"


def _needed(part: Schema) -> set[str]:
    required = part.get("required")
    return {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()


def _named(properties: object) -> dict[str, Any]:
    return properties if isinstance(properties, dict) else {}


def _cut(said: str, part: Schema) -> str:
    """A text no longer than the schema's maxLength, cut at a word where there is one."""
    most = part.get("maxLength")
    if not isinstance(most, int) or isinstance(most, bool) or not 0 <= most < len(said):
        return said
    short = said[:most]
    return short.rsplit(" ", 1)[0] if " " in short else short


def _allowed(number: float, part: Schema) -> bool:
    least, most = part.get("minimum"), part.get("maximum")
    return (not isinstance(least, int | float) or number >= least) and (
        not isinstance(most, int | float) or number <= most
    )


def _bounds(part: Schema) -> tuple[int, int]:
    least, most = part.get("minItems"), part.get("maxItems")
    low = min(least, 50) if isinstance(least, int) and least > 0 else 0
    high = min(most, 50) if isinstance(most, int) and most >= 0 else max(LISTED, low)
    return low, max(low, high)


def _merged(one: Schema, other: Schema) -> dict[str, Any]:
    merged = {**one, **other}
    for name in ("properties", "$defs"):
        if isinstance(one.get(name), dict) and isinstance(other.get(name), dict):
            merged[name] = {**one[name], **other[name]}
    if isinstance(one.get("required"), list) and isinstance(other.get("required"), list):
        merged["required"] = [*one["required"], *other["required"]]
    return merged


def _distinct(values: list[Any]) -> list[Any]:
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(json.dumps(value, sort_keys=True), value)
    return list(seen.values())


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") else name


def _text(findings: Findings) -> str:
    return " ".join(one_line(excerpt) for source in findings.sources for excerpt in source.excerpts)


__all__ = ["NOTICE", "Reply", "SchemaError", "check", "entry", "reply", "resolve"]
