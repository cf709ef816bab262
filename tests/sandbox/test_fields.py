"""Schemas: which are refused, and how the others are filled."""

import json
from pathlib import Path
from typing import Any

import pytest

from parallel_mcp.sandbox import SandboxOptions, fields, prepare
from parallel_mcp.sandbox.engine import NOTICE, Engine, Model
from parallel_mcp.sandbox.reading import plain
from parallel_mcp.sandbox.schema import check
from tests.support.sandboxes import QUESTION, Caller, written

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
WHOLE = {"type": "integer"}
FLAG = {"type": "boolean"}
ABSENT = "How long do I boil an egg?"
LINTER = """# Zork linter

The Zork linter checks Python files. The Zork linter has over 900 built-in rules and 12 formatters.

It runs 10-100x faster than other linters. Zork supports caching and it does not support plugins.
If you use editors, Zork might support folding.

The license of Zork is the MIT license. Zork was founded in 2019 and costs $4.50 a month.

- Zork checks the order of imports.
- Zork checks the names of variables.
"""
ASKED = "What does the Zork linter check in Python files?"


@pytest.fixture
def linter(tmp_path: Path) -> Engine:
    other = "# Grue\n\nThe grue has 7 rules and eats plugins. A grue supports plugins and 42 formatters.\n"
    return prepare(SandboxOptions(corpus=(written(tmp_path / "corpus", zork=LINTER, grue=other),)))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return prepare(SandboxOptions())


def filled(engine: Engine, schema: dict[str, Any], question: str = ASKED, model: Model = "base") -> Any:
    return json.loads(fields.reply(engine, question, None, model, schema).content)


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = of(leaf=TEXT)
    for _ in range(levels - 1):
        schema = of(inner=schema)
    return schema


def form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}


@pytest.mark.parametrize(
    ("name", "part", "value"),
    [
        ("rules", WHOLE, 900),
        ("built_in_rules", NUMBER, 900),
        ("formatters", WHOLE, 12),
        ("speedup", NUMBER, None),
        ("users", WHOLE, None),
        ("founded_year", WHOLE, 2019),
        ("costs", NUMBER, 4.5),
        ("costs", WHOLE, None),
        ("rules", {**WHOLE, "maximum": 100}, None),
        ("rules", {"type": ["integer", "null"]}, 900),
        ("rules", {"anyOf": [{"type": "null"}, WHOLE]}, 900),
        ("rules", {"allOf": [WHOLE]}, 900),
        ("rules", {"$ref": "#/$defs/count"}, 900),
        ("supports_caching", FLAG, True),
        ("support_plugins", FLAG, False),
        ("supports_folding", FLAG, None),
        ("supports_types", FLAG, None),
        ("license", TEXT, "The license of Zork is the MIT license."),
        ("license", {"enum": ["MIT", "GPL"]}, "MIT"),
        ("license", {"enum": ["BSD", "GPL"]}, None),
        ("license", {**TEXT, "maxLength": 10}, None),
        ("owner", TEXT, None),
        ("count", {**WHOLE, "description": "how many built-in rules there are"}, None),
        ("anything", {"const": 2}, 2),
        ("nothing", {"type": "null"}, None),
        ("checks", {"type": "array", "items": TEXT, "maxItems": 2}, 2),
        ("owners", {"type": "array", "items": TEXT}, None),
        ("details", {"type": "object", "properties": {"rules": WHOLE, "owner": TEXT}}, {"rules": 900, "owner": None}),
        ("tools", {"type": "array", "items": {"type": "object", "properties": {"rules": WHOLE}}}, [{"rules": 900}]),
    ],
    ids=str,
)
def test_field_is_filled_only_by_a_sentence_that_holds_its_words_and_its_value(
    linter: Engine, name: str, part: dict[str, Any], value: Any
) -> None:
    schema = {**of(**{name: part}), "$defs": {"count": WHOLE}}
    check(schema)
    reply = fields.reply(linter, ASKED, None, "base", schema)
    content = json.loads(reply.content)[name]
    assert (len(content) if isinstance(content, list) and isinstance(value, int) else content) == value
    entry = reply.basis[0]
    assert entry["field"] == name
    if content is None:
        assert "no sentence contains" in entry["reasoning"]
        assert entry["citations"] == []
        assert entry["confidence"] == "low"
    elif "const" not in part:
        assert entry["citations"][0]["url"].endswith("zork.md")
        assert all(excerpt in LINTER for cited in entry["citations"] for excerpt in cited["excerpts"])


def test_every_field_of_a_question_that_is_not_answered_is_null(linter: Engine) -> None:
    schema = of(rules=WHOLE, license=TEXT, supports_caching=FLAG, tools={"type": "array", "items": TEXT})
    reply = fields.reply(linter, ABSENT, None, "base", schema)
    assert json.loads(reply.content) == dict.fromkeys(schema["properties"])
    assert [entry["citations"] for entry in reply.basis] == [[]] * 4


def test_the_quickstarts_own_schema_is_filled_with_the_answer_and_its_sources(engine: Engine) -> None:
    schema = of(reasoning=TEXT, answer=TEXT, citations={"type": "array", "items": TEXT})
    value = filled(engine, schema, QUESTION, "speed")
    assert value["citations"]
    assert all(url.startswith("https://docs.python.org/3/") for url in value["citations"])
    assert value["answer"].endswith(NOTICE)
    assert "of the question's words" in value["reasoning"]
    nothing = filled(engine, schema, ABSENT, "speed")
    assert nothing["answer"].startswith(fields.NOT_FOUND)
    assert nothing["citations"] == []


def test_basis_has_an_entry_for_each_field_and_each_element_of_a_list(linter: Engine) -> None:
    schema = of(license=TEXT, checks={"type": "array", "items": TEXT})
    reply = fields.reply(linter, ASKED, None, "base", schema)
    value = json.loads(reply.content)
    assert len(value["checks"]) > 1
    expected = ["license", "checks", *(f"checks.{number}" for number in range(len(value["checks"])))]
    assert [entry["field"] for entry in reply.basis] == expected
    for number, said in enumerate(value["checks"]):
        (entry,) = [each for each in reply.basis if each["field"] == f"checks.{number}"]
        assert [plain(excerpt) for excerpt in entry["citations"][0]["excerpts"]] == [said]


def test_required_name_without_a_property_is_null(linter: Engine) -> None:
    assert filled(linter, {**of(rules=WHOLE), "required": ["rules", "other"]}) == {"rules": 900, "other": None}


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
    check(schema)


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
    answered = await sandbox.client.post(
        "/chat/completions", content=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    assert answered.status_code in {200, 422}
    assert (await sandbox.chat()).status_code == 200
