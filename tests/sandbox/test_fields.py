"""Schemas: what is refused, and how the rest is filled."""

import json
from typing import Any

import jsonschema
import pytest

from parallel_mcp.sandbox import fields
from parallel_mcp.sandbox.corpus import load
from parallel_mcp.sandbox.engine import Engine
from tests.support.sandboxes import QUESTION, Caller

TEXT = {"type": "string"}
ABSENT = "How long do I boil an egg?"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load())


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = of(leaf=TEXT)
    for _ in range(levels - 1):
        schema = of(inner=schema)
    return schema


def form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}


TREE = of(name=TEXT, kids={"type": "array", "items": {"$ref": "#/$defs/t"}})

FILLED: dict[str, dict[str, Any]] = {
    "string": of(purpose=TEXT),
    "number": of(price={"type": "number"}),
    "bounded": of(score={"type": "integer", "minimum": 3, "maximum": 9}),
    "boolean": of(usable={"type": "boolean", "description": "whether it can be used"}),
    "nullable": of(year={"type": ["integer", "null"]}),
    "any of null": of(year={"anyOf": [{"type": "null"}, {"type": "integer"}]}),
    "one of": of(kind={"oneOf": [{"type": "string"}, {"type": "integer"}]}),
    "all of": of(kind={"allOf": [{"type": "string"}, {"maxLength": 12}]}),
    "enum": of(kind={"enum": ["statement", "context", "banana"]}),
    "enum of numbers": of(kind={"enum": [1, 2, None]}),
    "const": of(version={"const": 2}),
    "null": of(nothing={"type": "null"}),
    "strings": of(points={"type": "array", "items": TEXT}),
    "bounded list": of(points={"type": "array", "items": TEXT, "minItems": 2, "maxItems": 2}),
    "numbers": of(sizes={"type": "array", "items": {"type": "number"}}),
    "objects": of(parts={"type": "array", "items": of(name=TEXT, url=TEXT, what=TEXT)}),
    "object": of(detail=of(name=TEXT, deep=of(quote=TEXT))),
    "open list": of(anything={"type": "array"}),
    "reference": {**of(part={"$ref": "#/$defs/part"}), "$defs": {"part": of(name=TEXT)}},
    "escaped reference": {**of(part={"$ref": "#/$defs/a~1b"}), "$defs": {"a/b": of(name=TEXT)}},
    "recursive": {**of(tree={"$ref": "#/$defs/t"}), "$defs": {"t": {**TREE, "required": ["name"]}}},
    "seed": of(reasoning=TEXT, answer=TEXT, citations={"type": "array", "items": TEXT}),
    "closed": {**of(answer=TEXT), "additionalProperties": False},
    "short": of(note={"type": "string", "maxLength": 20}),
    "required only": {**of(answer=TEXT), "required": ["answer"]},
}  # fmt: skip


@pytest.mark.parametrize("question", [QUESTION, ABSENT], ids=["found", "not found"])
@pytest.mark.parametrize("name", FILLED)
def test_filled_schema_validates(engine: Engine, name: str, question: str) -> None:
    fields.check(FILLED[name])
    reply = fields.reply(engine, question, (), "base", FILLED[name])
    jsonschema.validate(json.loads(reply.content), FILLED[name])


def test_basis_has_an_entry_for_each_field_and_each_element_of_a_list(engine: Engine) -> None:
    schema = of(summary=TEXT, parts={"type": "array", "items": of(name=TEXT)})
    reply = fields.reply(engine, QUESTION, (), "base", schema)
    value = json.loads(reply.content)
    assert len(value["parts"]) > 1
    expected = ["summary", "parts", *(f"parts.{number}" for number in range(len(value["parts"])))]
    assert [entry["field"] for entry in reply.basis] == expected


def test_elements_of_a_list_are_each_supported_by_their_own_document(engine: Engine) -> None:
    schema = of(parts={"type": "array", "items": of(url=TEXT)})
    reply = fields.reply(engine, QUESTION, (), "base", schema)
    for number, part in enumerate(json.loads(reply.content)["parts"]):
        (entry,) = [each for each in reply.basis if each["field"] == f"parts.{number}"]
        assert [cited["url"] for cited in entry["citations"]] == [part["url"]]


def test_excerpts_of_a_field_stand_in_what_they_cite(engine: Engine) -> None:
    schema = of(grammar={**TEXT, "description": "how several items are nested"}, cleanup=TEXT)
    for entry in fields.reply(engine, QUESTION, (), "core", schema).basis:
        assert entry["citations"]
        for cited in entry["citations"]:
            assert all(engine.corpus.contains(cited["url"], excerpt) for excerpt in cited["excerpts"])


def test_citation_fields_hold_addresses(engine: Engine) -> None:
    reply = fields.reply(engine, QUESTION, (), "speed", FILLED["seed"])
    value = json.loads(reply.content)
    assert value["citations"]
    assert all(url.startswith("https://docs.python.org/3/") for url in value["citations"])
    assert "[1]" in value["answer"]


def test_field_without_a_value_is_null_where_it_may_be_and_left_out_where_it_need_not_be(engine: Engine) -> None:
    nullable = of(price={"type": ["number", "null"]})
    assert json.loads(fields.reply(engine, ABSENT, (), "base", nullable).content) == {"price": None}
    optional = {"type": "object", "properties": {"price": {"type": "number"}}}
    assert json.loads(fields.reply(engine, ABSENT, (), "base", optional).content) == {}


def test_field_that_nothing_was_found_for_has_no_citations_and_low_confidence(engine: Engine) -> None:
    (entry,) = fields.reply(engine, ABSENT, (), "base", of(price={"type": "number"})).basis
    assert entry["citations"] == []
    assert entry["confidence"] == "low"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "root is no object": ({"type": "array", "items": TEXT}, "root"),
    "root has no properties": ({"type": "object"}, "root"),
    "anyOf at the root": ({**of(a=TEXT), "anyOf": [{}]}, "root"),
    "nested too deeply": (nested(6), "inner.inner.inner.inner.inner"),
    "too many properties": (of(**{f"p{n}": TEXT for n in range(101)}), "100 properties"),
    "too much text": (of(long={**TEXT, "description": "x" * 25_001}), "25,000 characters"),
    "too large an enum": (of(pick={"enum": list(range(501))}), "pick: an enum"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", REFUSED)
async def test_schema_that_research_models_do_not_take_is_refused_with_its_place(sandbox: Caller, name: str) -> None:
    schema, place = REFUSED[name]
    refused = await sandbox.chat(model="base", response_format=form(schema))
    assert refused.status_code == 422
    assert place in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "schema",
    [nested(5), of(**{f"p{n}": TEXT for n in range(100)}), of(pick={"enum": list(range(500))})],
    ids=["five levels", "hundred properties", "five hundred options"],
)
def test_schema_at_the_limit_is_taken(schema: dict[str, Any]) -> None:
    fields.check(schema)


@pytest.mark.anyio
async def test_unsupported_keywords_are_ignored_and_a_pattern_is_never_run(sandbox: Caller) -> None:
    evil = {"type": "string", "pattern": "^(a+)+$", "format": "date", "minLength": 999}
    schema = {**of(a=evil), "patternProperties": {"^(b+)+$": TEXT}}
    assert (await sandbox.chat(model="base", response_format=form(schema))).status_code == 200


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    return schema


HOSTILE: dict[str, Any] = {
    "deep": deep(150),
    "itself": {"$ref": "#"},
    "circle": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "remote": of(a={"$ref": "http://127.0.0.1:1/schema.json"}),
    "file": of(a={"$ref": "file:///etc/passwd"}),
    "wide and recursive": {**of(**{f"p{n}": {"$ref": "#"} for n in range(60)})},
    "bomb": of(a={"allOf": [{"anyOf": [{"$ref": "#/properties/a"}] * 50}] * 50}),
    "wrong types": {"type": 7, "properties": [1], "required": {"a": 1}, "enum": "x", "anyOf": 3, "items": 9},
    "wrong inside": of(a=3, b=None, c=[], d={"type": ["x", 3]}, e={"enum": []}, f={"items": True, "minItems": 1e9}),
    "long list": of(a={"type": "array", "items": TEXT, "minItems": 10**9}),
    "surrogate": of(**{"\ud800": TEXT}),
    "const of anything": of(a={"const": {"deep": [1, {"x": None}]}}),
}


@pytest.mark.anyio
@pytest.mark.parametrize("model", ["speed", "base"])
@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_schema_is_answered_or_refused_and_never_breaks_the_sandbox(
    sandbox: Caller, name: str, model: str
) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "response_format": form(HOSTILE[name])}
    answered = await sandbox.client.post("/chat/completions", content=json.dumps(body).encode())
    assert answered.status_code in {200, 422}
    assert (await sandbox.chat()).status_code == 200
