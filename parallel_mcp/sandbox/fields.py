"""Writes an answer in the requested form: text, a JSON object, or a caller's schema filled field by field.

A field is filled only from a sentence that contains the field's words and its value. Every other field is null, and its
basis says so.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from parallel_mcp.sandbox.engine import NOTICE, Earlier, Engine, Findings, Model, Source
from parallel_mcp.sandbox.evidence import GRAMMAR
from parallel_mcp.sandbox.reading import plain
from parallel_mcp.sandbox.schema import MAX_ENUM, Schema, options, resolve

NOT_FOUND = "Not found in these documents"

DEPTH = 8  # levels that are filled
VALUES = 400  # values that are filled per answer
SEARCHES = 16  # fields that get their own search
LISTED = 3  # elements of a list without a stated length


@dataclass(frozen=True, slots=True)
class Reply:
    """The content, one basis entry per field, and the URLs of the documents it was answered from."""

    content: str
    basis: list[dict[str, Any]]
    urls: tuple[str, ...]


def reply(
    engine: Engine,
    question: str,
    earlier: Earlier | None,
    model: Model,
    schema: Schema | None,
    *,
    json_object: bool = False,
) -> Reply:
    """Answer a question in the requested form."""
    findings = engine.search(question, model, earlier)
    if schema is not None:
        content, basis = _Filling(engine, question, schema, findings).filled()
        return Reply(json.dumps(content, ensure_ascii=False), basis, findings.urls)
    if json_object:
        value = {"answer": prose(findings), "citations": list(findings.urls)}
        basis = [entry(name, findings.reasoning, findings.sources, findings.confidence) for name in value]
        return Reply(json.dumps(value, ensure_ascii=False), basis, findings.urls)
    content = prose(findings, marked=True)
    return Reply(content, [entry("output", findings.reasoning, findings.sources, findings.confidence)], findings.urls)


def prose(findings: Findings, *, marked: bool = False) -> str:
    """The answer as text. `marked` adds the numbers of its citations and a list of references."""
    if not findings.sources:
        return f"{NOT_FOUND}. {findings.reasoning}"
    said = " ".join(map(plain, findings.sources[0].excerpts))
    if not marked:
        return f"{said}\n\n{NOTICE}"
    others = ", ".join(f"[{number}]" for number in range(2, len(findings.sources) + 1))
    see = f" See also {others}." if others else ""
    rows = [f"{number}. *{source.title}*. {source.url}" for number, source in enumerate(findings.sources, 1)]
    return "\n\n".join([f"{said} [1]{see}", NOTICE, "## References", "\n".join(rows)])


def entry(name: str, reasoning: str, sources: Sequence[Source], confidence: str) -> dict[str, Any]:
    """A basis entry in the wire format."""
    return {
        "field": name,
        "reasoning": reasoning,
        "citations": [
            {"url": source.url, "title": source.title, "excerpts": list(source.excerpts)} for source in sources
        ],
        "confidence": confidence if sources else "low",
    }


# Names that the API's own examples use for the whole answer, its reasoning and its sources.
_ANSWER = re.compile(r"(?:final_?|direct_?)?(?:answer|output|response|summary)", re.IGNORECASE)
_REASONING = re.compile(r"reasoning|rationale|explanation", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:citation|source|reference)s?(?:_?urls?)?|urls?", re.IGNORECASE)

_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"(?<![\w.,-])-?\d{1,15}(?:,\d{3})*(?:\.\d{1,10})?(?![\w-]|[.,]\d)")
_YEAR = re.compile(r"(?<![\w.,-])(?:19|20)\d\d(?![\w-]|[.,]\d)")
_JOINT = re.compile(r"[,;]\s|\s(?:and|but|or|while)\s")
_NOT = re.compile(r"\b(?:not|no|never|cannot|without|nor|neither)\b|n['’]t\b", re.IGNORECASE)
_OPEN = re.compile(
    r"\b(?:if|whether|when|unless|may|might|could|would|should|some|sometimes|usually)\b|\?", re.IGNORECASE
)

Statement = tuple[str, Source]


@dataclass(slots=True)
class _Filling:
    """Fills one schema."""

    engine: Engine
    question: str
    schema: Schema
    findings: Findings
    _values: int = 0
    _searches: int = 0
    _cited: list[Source] = field(default_factory=list)

    def filled(self) -> tuple[Any, list[dict[str, Any]]]:
        """The value, and a basis entry per top-level field and per element of a list in one."""
        root = resolve(self.schema, self.schema)
        properties = root.get("properties")
        if not isinstance(properties, dict):
            value = self._value(self.schema, "output", self._statements("output", root), 0)
            return value, [self._entry("output", value, self._cited)]
        content: dict[str, Any] = dict.fromkeys(sorted(_needed(root)))
        basis: list[dict[str, Any]] = []
        for name, part in properties.items():
            self._cited = []
            content[name] = self._value(part, name, self._statements(name, resolve(part, self.schema)), 1)
            basis.append(self._entry(name, content[name], self._cited))
            if isinstance(content[name], list):
                own = list(dict.fromkeys(self._cited))
                for number, value in enumerate(content[name]):
                    basis.append(self._entry(f"{name}.{number}", value, own[number : number + 1] or own[:1]))
        return {name: content[name] for name in [*properties, *(content.keys() - properties.keys())]}, basis

    def _entry(self, name: str, value: Any, cited: Sequence[Source]) -> dict[str, Any]:
        if value is None or not cited:
            why = f"{NOT_FOUND}: no sentence contains the words of this field and its value. {self.findings.reasoning}"
            return entry(name, why if value is None else self.findings.reasoning, (), "low")
        return entry(name, self.findings.reasoning, list(dict.fromkeys(cited)), self.findings.confidence)

    def _statements(self, name: str, part: Schema) -> list[Statement]:
        """The sentences that may fill a field: those of the answer, and those of its documents about the field."""
        found = [(said, source) for source in self.findings.sources for said in source.excerpts]
        if found and self._searches < SEARCHES:
            self._searches += 1
            about = f"{self.question} {' '.join(_about(part, name))}"
            found += self.engine.statements(about, self.findings.urls)
        return found

    def _value(self, part: object, name: str, statements: Sequence[Statement], depth: int) -> Any:
        self._values += 1
        inner = self._chosen(resolve(part, self.schema))
        if depth > DEPTH or self._values > VALUES:
            return None
        if "const" in inner:
            return inner["const"]
        kind = _kind(inner)
        if kind == "object":
            named = inner.get("properties")
            inside = named.items() if isinstance(named, dict) else ()
            return {key: self._value(each, key, statements, depth + 1) for key, each in inside} or None
        if kind == "array":
            return self._list(inner, name, statements, depth)
        if kind == "string" and not inner.get("enum") and (whole := self._whole(name)) is not None:
            self._cited.extend(self.findings.sources)
            return whole
        reads = self._reader(inner, kind, name)
        for said, source in self._bearing(inner, name, statements) if reads else ():
            if reads and (value := reads(said)) is not None:
                self._cited.append(Source(source.url, source.title, (said,)))
                return value
        return None

    def _whole(self, name: str) -> str | None:
        """The value of a field that is about the whole answer."""
        if _ANSWER.fullmatch(name) or name == "output":
            return prose(self.findings)
        if _REASONING.fullmatch(name):
            return self.findings.reasoning
        return self.findings.urls[0] if _ADDRESS.fullmatch(name) and self.findings.urls else None

    def _list(self, part: Schema, name: str, statements: Sequence[Statement], depth: int) -> list[Any] | None:
        most = part.get("maxItems")
        most = min(most, 50) if isinstance(most, int) and not isinstance(most, bool) and most >= 0 else LISTED
        items = self._chosen(resolve(part.get("items"), self.schema))
        if _ADDRESS.fullmatch(name) and _kind(items) == "string":
            self._cited.extend(self.findings.sources)
            return list(self.findings.urls)
        found: list[Any] = []
        if _kind(items) == "object":
            groups = [[each for each in statements if each[1].url == url] for url in self.findings.urls]
        else:
            groups = [[each] for each in self._bearing(part, name, statements)]
        for group in groups:
            value = self._value(items, name, group, depth + 1) if len(found) < most else None
            if value is not None and value not in found and _holds_something(value):
                found.append(value)
        return found or None

    def _bearing(self, part: Schema, name: str, statements: Sequence[Statement]) -> list[Statement]:
        """The statements with the field's words: all of its name, or most of its description."""
        named, described = (set(stems) - GRAMMAR for stems in self.engine.index.words.stems(_about(part, name)))
        named -= {"year"}
        held = [set(stems) for stems in self.engine.index.words.stems([said for said, _ in statements])]
        return [
            statement
            for statement, stems in zip(statements, held, strict=True)
            if (named and named <= stems) or (len(described) > 1 and 3 * len(described & stems) >= 2 * len(described))
        ]

    def _reader(self, part: Schema, kind: str, name: str) -> Callable[[str], Any] | None:
        """A function that reads a value of a kind from a sentence, or None if the sentence does not state one."""
        options = part.get("enum")
        if isinstance(options, list):
            return lambda said: _option(options, said)
        if kind == "boolean":
            return lambda said: self._stated(said, name)
        if kind in {"number", "integer"}:
            pattern = _YEAR if "year" in name.lower() else _NUMBER
            return lambda said: self._number(said, pattern, part, name, whole=kind == "integer")
        return (lambda said: _cut(plain(said), part)) if kind == "string" else None

    def _clauses(self, said: str, name: str) -> Iterator[tuple[str, list[tuple[int, int]], bool]]:
        """The clauses of a sentence with any word of a field's name, the words' places, and whether all are there."""
        wanted = set(self.engine.index.words.stems([" ".join(_PART.findall(name[:200]))])[0]) - GRAMMAR - {"year"}
        for clause in _JOINT.split(said):
            places = [match.span() for match in _WORD.finditer(clause)]
            stems = [set(each) for each in self.engine.index.words.stems([clause[a:b] for a, b in places])]
            held = [place for place, own in zip(places, stems, strict=True) if wanted & own]
            if held:
                yield clause, held, wanted <= set().union(*stems)

    def _number(self, said: str, pattern: re.Pattern[str], part: Schema, name: str, *, whole: bool) -> float | None:
        """The number nearest to a word of the field, in the same clause."""
        near: list[tuple[int, float]] = []
        for clause, places, _ in self._clauses(said, name):
            for match in pattern.finditer(clause):
                number = float(match[0].replace(",", ""))
                if _allowed(number, part) and (number.is_integer() or not whole):
                    apart = min(max(start - match.end(), match.start() - end) for start, end in places)
                    near.append((apart, number))
        if not near:
            return None
        found = min(near)[1]
        return int(found) if found.is_integer() else found

    def _stated(self, said: str, name: str) -> bool | None:
        """Whether a clause affirms (True) or denies (False) what a field's name says. None if it does neither."""
        if _OPEN.search(said):
            return None
        stated = [not _NOT.search(clause) for clause, _, whole in self._clauses(said, name) if whole]
        return stated[0] if len(set(stated)) == 1 else None

    def _chosen(self, part: Schema) -> Schema:
        """Merge anyOf, oneOf and allOf into one schema: all of allOf, and the first of the others that is not null."""
        for _ in range(DEPTH):
            either = [resolve(each, self.schema) for key in ("anyOf", "oneOf") for each in options(part, key)]
            chosen = [resolve(each, self.schema) for each in options(part, "allOf")[:DEPTH]]
            chosen += [each for each in either[:MAX_ENUM] if _kind(each) != "null"][:1]
            if not chosen:
                return part
            part = {key: value for key, value in part.items() if key not in ("anyOf", "oneOf", "allOf")}
            for each in chosen:
                part = _merged(part, each)
        return {}


def _option(options: Sequence[Any], said: str) -> Any:
    """The only option that a sentence names. None if it names none or several."""
    words = _spaced(said)
    named = [each for each in options if isinstance(each, str) and _spaced(each) in words]
    return named[0] if len(named) == 1 and named[0].strip() else None


def _spaced(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.lower()))} "


def _about(part: Schema, name: str) -> tuple[str, str]:
    """The words of a field's name and its description."""
    told = part.get("description")
    return " ".join(_PART.findall(name[:200])), told[:500] if isinstance(told, str) else ""


def _holds_something(value: Any) -> bool:
    return not isinstance(value, dict) or any(each is not None for each in value.values())


def _kind(part: Schema) -> str:
    """The type to fill. If several are allowed, the first that is not null."""
    kinds = part.get("type")
    if isinstance(kinds, list):
        kinds = next((kind for kind in kinds if kind != "null"), "null" if kinds else None)
    if isinstance(kinds, str) and kinds in {"string", "number", "integer", "boolean", "array", "object", "null"}:
        return kinds
    return "object" if "properties" in part else "array" if "items" in part else "string"


def _needed(part: Schema) -> set[str]:
    required = part.get("required")
    return {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()


def _cut(said: str, part: Schema) -> str | None:
    """The text, or None if the schema's maxLength would cut it, since half a sentence says something else."""
    most = part.get("maxLength")
    fits = not isinstance(most, int) or isinstance(most, bool) or len(said) <= most
    return said if fits else None


def _allowed(number: float, part: Schema) -> bool:
    least, most = part.get("minimum"), part.get("maximum")
    return (not isinstance(least, int | float) or number >= least) and (
        not isinstance(most, int | float) or number <= most
    )


def _merged(one: Schema, other: Schema) -> dict[str, Any]:
    merged = {**one, **other}
    if isinstance(one.get("properties"), dict) and isinstance(other.get("properties"), dict):
        merged["properties"] = {**one["properties"], **other["properties"]}
    return merged
