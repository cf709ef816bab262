"""A caller's output schema: refusals, warnings, and problems of an answer."""

import json
import math
import sys
import tracemalloc
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from parallel_mcp import schemas
from parallel_mcp.errors import SchemaRefused


def root(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def refusal(schema: Any) -> str:
    with pytest.raises(SchemaRefused) as caught:
        schemas.lint(schema)
    return str(caught.value)


def nested(levels: int) -> dict[str, Any]:
    """A schema with this many levels of objects, counting the root."""
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = root(a=schema)
    return schema


FOUNDERS = root(founders={"type": "array", "items": root(name={"type": "string"}, born={"type": ["integer", "null"]})})
PERSON = {"$ref": "#/$defs/person"}


# lint: accepted


def test_an_ordinary_schema_has_no_warnings() -> None:
    strict = {**FOUNDERS, "required": ["founders"], "additionalProperties": False}
    assert schemas.lint(strict) == []


def test_local_references_are_accepted_under_defs_and_definitions() -> None:
    person = root(name={"type": "string"})
    assert schemas.lint({**root(a=PERSON, b={"items": PERSON}), "$defs": {"person": person}}) == []
    old = {"$ref": "#/definitions/person"}
    assert schemas.lint({**root(a=old, b=old), "definitions": {"person": person}}) == []


def test_a_reference_finds_names_with_slashes_tildes_and_percent_signs() -> None:
    schema = {**root(a={"$ref": "#/$defs/a~1b~0c%20d"}), "$defs": {"a/b~c d": {"type": "integer"}}}
    assert schemas.lint(schema) == []
    assert schemas.problems(schema, {"a": "x"}) == ['a: expected an integer, not "x"']


def test_what_other_drafts_and_generators_write_is_accepted() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://example.com/x", **FOUNDERS}
    assert schemas.lint({**schema, "title": "T", "x-order": [1, {"a": None}], "$comment": "c"}) == []


def test_a_read_only_mapping_is_a_schema_too() -> None:
    assert schemas.lint(MappingProxyType(FOUNDERS)) == []


def test_five_levels_and_a_hundred_properties_are_accepted() -> None:
    assert schemas.lint(nested(5)) == []
    assert schemas.lint(root(**{f"p{i}": {"type": "string"} for i in range(100)})) == []


def test_the_same_definition_may_be_used_many_times() -> None:
    schema = {**root(**{f"p{i}": PERSON for i in range(90)}), "$defs": {"person": root(name={"type": "string"})}}
    assert schemas.lint(schema) == []


def test_lint_changes_nothing_in_the_schema() -> None:
    schema = {**root(a={"oneOf": [{"pattern": "x"}, PERSON]}), "$defs": {"person": root(n={"type": "string"})}}
    before = json.dumps(schema)
    schemas.lint(schema)
    schemas.problems(schema, {"a": 1})
    assert json.dumps(schema) == before


# lint: refused, with the place


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({}, "#/type"),
        ({"type": "array", "items": {}}, "#/type"),
        ({"type": ["object", "null"], "properties": {"a": {}}}, "#/type"),
        ({"type": "object"}, "#/properties"),
        ({"type": "object", "properties": {}}, "#/properties"),
        ({"type": "object", "properties": []}, "#/properties"),
        ({**root(a={}), "anyOf": [{}]}, "#/anyOf"),
        ({**root(a={}), "oneOf": [{}]}, "#/oneOf"),
        ({**root(a={}), "allOf": [{}]}, "#/allOf"),
        (root(a=root(b={"type": "strng"})), "#/properties/a/properties/b/type"),
        (root(a={"required": "b"}), "#/properties/a/required"),
        (root(a={"minLength": -1}), "#/properties/a/minLength"),
        (root(a={"enum": 3}), "#/properties/a/enum"),
        (root(a={"anyOf": []}), "#/properties/a/anyOf"),
        (root(a={"anyOf": {}}), "#/properties/a/anyOf"),
        (root(a={"properties": ["b"]}), "#/properties/a/properties"),
        (root(a={"$ref": 3}), "#/properties/a/$ref"),
        (root(a=[]), "#/properties/a"),
        (root(a=True), "#/properties/a"),
        (root(a={"anyOf": [{}, False]}), "#/properties/a/anyOf/1"),
        (root(a={"type": "null"}), "#/properties/a/type"),
        (nested(6), "#/properties/a/properties/a/properties/a/properties/a/properties/a"),
        (root(**{f"p{i}": {} for i in range(60)}, q=root(**{f"q{i}": {} for i in range(60)})), "#/properties/q/prop"),
        (root(a={"description": "x" * 25_000}), "#"),
        (root(a={"enum": list(range(501))}), "#/properties/a/enum"),
        (root(a={"enum": list(range(300))}, b={"enum": list(range(300))}), "#/properties/b/enum"),
        (root(a={"enum": [f"{i:040}" for i in range(251)]}), "#/properties/a/enum"),
        (root(a={"$ref": "https://example.com/schema"}), "#/properties/a/$ref"),
        (root(a={"$ref": "other.json#/$defs/a"}), "#/properties/a/$ref"),
        (root(a={"$ref": "#person"}), "#/properties/a/$ref"),
        (root(a={"$ref": "#/$defs/person"}), "#/properties/a/$ref"),
        (root(a={"$ref": "#/properties/a/title", "title": "t"}), "#/properties/a/$ref"),
        (root(a={"$ref": "#"}), "#/properties/a/$ref"),
        (root(a={"$ref": "#/properties/a"}), "#/properties/a/$ref"),
        (root(a={"$dynamicRef": "#/properties/b"}, b={}), "#/properties/a/$dynamicRef"),
        (root(a={"$id": "https://example.com/a", "type": "string"}), "#/properties/a/$id"),
        (root(a={"const": math.nan}), "#/properties/a/const"),
        (root(a={"const": 10**5000}), "#/properties/a/const"),
        (root(a={"const": "\ud800"}), "#/properties/a/const"),
        (root(a={"const": {1: 2}}), "#/properties/a/const"),
        (root(a={"default": {1, 2}}), "#/properties/a/default"),
    ],
)
def test_an_error_is_refused_and_its_place_is_named(schema: Any, place: str) -> None:
    assert place in refusal(schema)


@pytest.mark.parametrize("schema", [None, True, False, [], "object", 3])
def test_what_is_not_an_object_is_refused(schema: Any) -> None:
    assert "must be an object" in refusal(schema)


def test_an_invalid_schema_is_refused_in_our_words() -> None:
    assert refusal(root(a={"type": "strng"})) == (
        'output_schema, at #/properties/a/type: not a valid JSON schema: expected one of "array", "boolean", '
        '"integer", "null", "number", "object", "string", not "strng".'
    )


def test_levels_are_counted_through_references() -> None:
    schema = {**root(a=root(b=PERSON)), "$defs": {"person": nested(4)}}
    assert "deeper than 5 levels" in refusal(schema)


def test_cycles_are_refused_even_where_nothing_refers_to_them() -> None:
    loop = {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}
    assert "refers to itself" in refusal({**root(x={"$ref": "#/$defs/a"}), "$defs": loop})
    assert "refers to itself" in refusal({**root(x={"type": "string"}), "$defs": loop})


def test_a_place_in_a_refusal_is_one_short_line_without_control_characters() -> None:
    words = refusal(root(**{"a\n\x1b[31m" + "b" * 5_000: {"type": "strng"}}))
    assert "\n" not in words
    assert "\x1b" not in words
    assert len(words) < 400


# lint: hostile input ends in a refusal


def test_a_million_levels_are_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(1_000_000):
        deep = {"items": deep}
    assert "levels of nesting" in refusal(root(a=deep))
    while deep:  # taken apart level by level, so that freeing it does not recurse a million frames
        deep = deep["items"]


def test_a_million_enum_values_and_properties_are_refused() -> None:
    assert "values" in refusal(root(a={"enum": list(range(1_000_000))}))
    assert "values" in refusal(root(**{str(i): {} for i in range(1_000_000)}))


def test_a_schema_that_contains_itself_is_refused() -> None:
    schema = root(a={})
    schema["properties"]["a"] = schema
    assert "levels of nesting" in refusal(schema)


def test_combinators_inside_each_other_are_bounded() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(25):
        schema = {"anyOf": [schema]}
    assert "inside each other" in refusal(root(a=schema))


def test_chains_of_references_are_bounded() -> None:
    chain = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(500)}
    assert "inside each other" in refusal({**root(a={"$ref": "#/$defs/d0"}), "$defs": {**chain, "d500": {}}})


def test_references_that_multiply_are_refused() -> None:
    fan = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 10} for i in range(9)}
    assert "too many schemas" in refusal({**root(a={"$ref": "#/$defs/d0"}), "$defs": {**fan, "d9": {}}})


def test_thousands_of_subschemas_are_refused() -> None:
    assert "schemas in total" in refusal(root(a={"anyOf": [{}] * 3_000}))


# lint: warnings


def test_a_keyword_that_only_we_enforce_is_warned_about_once_with_its_places() -> None:
    (warning,) = schemas.lint(root(**{f"p{i}": {"type": "string", "minLength": 1} for i in range(5)}))
    assert warning == (
        "`minLength` at #/properties/p0, #/properties/p1, #/properties/p2 and 2 more is not enforced by Parallel; "
        "the answer is checked against it here."
    )


def test_a_format_is_not_said_to_be_checked() -> None:
    (warning,) = schemas.lint(root(a={"type": "string", "format": "date"}))
    assert "nor checked here" in warning


def test_a_property_that_is_named_like_a_keyword_is_no_keyword() -> None:
    assert schemas.lint(root(pattern={"type": "string"}, minLength={"type": "integer"}, enum={"type": "string"})) == []


# read


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "b"}',
        '\ufeff \n{"a": "b"}\n',
        '```json\n{"a": "b"}\n```',
        '```\n{"a": "b"}\n```\n',
        '~~~ json\n{"a": "b"}\n~~~',
        '```json {"a": "b"} ```',
        '```json\n{"a": "b"}',
        'Here it is:\n\n```json\n{"a": "b"}\n```\nI hope {this} helps.',
        'The answer is {"a": "b"}.',
        'I use {} and {curly} and \\frac{1}{2}: {"a": "b"}',
        'A 5" pipe, {"a": "b"}',
        '{"a"} is no JSON, but {"a": "b"} is',
        '[{"a": "b"}] was asked for',
    ],
)
def test_the_object_is_found_whatever_is_around_it(text: str) -> None:
    assert schemas.read(text) == {"a": "b"}


@pytest.mark.parametrize(("text", "value"), [("[1, 2]", [1, 2]), ('"x"', "x"), ("null", None), ("```\n[1]\n```", [1])])
def test_text_that_is_json_as_a_whole_may_be_any_value(text: str, value: Any) -> None:
    assert schemas.read(text) == value


def test_bare_newlines_and_fences_inside_strings_are_kept() -> None:
    assert schemas.read('```json\n{"a": "one\ntwo\n```\nthree"}\n```') == {"a": "one\ntwo\n```\nthree"}


def test_the_longest_of_several_objects_is_the_answer() -> None:
    assert schemas.read('As in {"a": 1}: {"a": "the real one"}') == {"a": "the real one"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "There is none.",
        "The list is [1, 2].",
        "12 monkeys",
        "{not json}",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": ' + "1" * 5_000 + "}",
    ],
)
def test_text_without_a_sound_object_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        schemas.read(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"answer": "x", "citations": [{"url": "https://example.com"}, {"url": "htt',
        '{"answer": "x", "citations": [{"url": "https://example.com"},, {"url": "b"}]}',
        'Like {"a": 1}. {"answer": "a long one that is cut sh',
    ],
)
def test_a_piece_of_a_broken_answer_does_not_pass_for_the_answer(text: str) -> None:
    with pytest.raises(ValueError):
        schemas.read(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        '{"a":' * 300_000,
        '{"a":' * 150 + "1" + "}" * 150,
        "prose " + '{"a":' * 150 + "1" + "}" * 150,
        "{ " * 500_000,
        '{"a"} ' * 100_000,
        '{"' + '\\"' * 500_000,
        '"' * 1_000_000,
        "~" * 1_000_000,
        "`" * 1_000_000,
        "```\n" + " \n" * 300_000,
        "[" + "0," * 300_000 + "0]",
    ],
    ids=lambda text: text[:12],
)
def test_hostile_text_ends_in_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        schemas.read(text)


@pytest.mark.parametrize(
    "text", ["[" + "{}," * 500_000, '{"a": ' + "[[],[]]," * 200_000, '{ "' * 500_000, '{"a": "' + '\\"' * 500_000]
)
def test_values_without_number_and_strings_without_end_are_refused_before_they_are_made(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            schemas.read(text)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(text)
    finally:
        tracemalloc.stop()


def test_very_many_empty_braces_are_read() -> None:
    assert schemas.read("{} " * 300_000) == {}


# problems


def test_a_value_that_fits_has_no_problems() -> None:
    assert schemas.problems(FOUNDERS, {"founders": [{"name": "Ada", "born": None}]}) == []


@pytest.mark.parametrize(
    ("schema", "value", "sentence"),
    [
        (FOUNDERS, {"founders": [{"name": 12}]}, "founders.0.name: expected a string, not 12"),
        (FOUNDERS, {"founders": [{"born": "?"}]}, 'founders.0.born: expected an integer or null, not "?"'),
        (FOUNDERS, [], "the answer: expected an object, not []"),
        ({**root(a={}, b={}), "required": ["b", "a"]}, {}, 'the answer: lacks "b", "a"'),
        (
            {**root(a={}), "additionalProperties": False},
            {"z": 1},
            'the answer: has "z", which the schema does not allow',
        ),
        (root(a={"enum": ["x", 1]}), {"a": True}, 'a: expected one of "x", 1, not true'),
        (root(a={"const": 1}), {"a": 2}, "a: expected 1, not 2"),
        (root(a={"minimum": 3}), {"a": 2}, "a: 2 is less than 3"),
        (root(a={"exclusiveMaximum": 2}), {"a": 2}, "a: 2 is not less than 2"),
        (root(a={"minLength": 3}), {"a": "xy"}, 'a: "xy" is shorter than 3 characters'),
        (root(a={"maxItems": 1}), {"a": [1, 2]}, "a: more than 1 items"),
        (root(a={"uniqueItems": True}), {"a": [1, 1.0]}, "a: has the same item twice"),
        (root(a={"multipleOf": 0.1}), {"a": 0.35}, "a: 0.35 is not a multiple of 0.1"),
        (root(a={"contains": {"const": 1}}), {"a": [2]}, "a: no item matches the required form (contains)"),
        (root(a={"contains": {"const": 1}, "maxContains": 1}), {"a": [1, 1]}, "a: more than "),
        (root(a={"not": {"type": "string"}}), {"a": "x"}, 'a: "x" matches a form that is not allowed (not)'),
        (root(a={"anyOf": [{"type": "string"}, {"type": "null"}]}), {"a": 1}, "a: expected a string or null, not 1"),
        (root(a={"anyOf": [root(b={"type": "string"}), {"type": "null"}]}), {"a": {"b": 1}}, "a.b: expected a string"),
        (root(a={"oneOf": [{"minimum": 1}, {"maximum": 9}]}), {"a": 5}, "a: 5 matches more than one form"),
        (root(a={"anyOf": [{"minimum": 9}, {"const": "x"}]}), {"a": 5}, "a: 5 matches none of the 2 allowed forms"),
        (root(a={"dependentRequired": {"b": ["c"]}}), {"a": {"b": 1}}, 'a: lacks "c"'),
        (root(a={"prefixItems": [{"type": "string"}], "items": False}), {"a": ["x", 1]}, "a.1: 1 is not allowed here"),
        (root(a={"propertyNames": {"maxLength": 1}}), {"a": {"bb": 1}}, 'a: "bb" is longer than 1 characters'),
        (root(a={"properties": {"b": {}}, "unevaluatedProperties": False}), {"a": {"c": 1}}, "a: has properties"),
    ],
)
def test_a_problem_names_the_place_and_what_is_wrong(schema: Any, value: Any, sentence: str) -> None:
    schemas.lint(schema)
    (problem,) = schemas.problems(schema, value)
    assert problem.startswith(sentence)


def test_problems_end_at_the_limit() -> None:
    value = {"founders": [{"name": i} for i in range(50)]}
    assert len(schemas.problems(FOUNDERS, value)) == 5
    assert len(schemas.problems(FOUNDERS, value, limit=2)) == 2


def test_quoted_values_are_cut_and_cleaned() -> None:
    (problem,) = schemas.problems(root(a={"type": "integer"}), {"a": "\x1b[31m\n" + "x" * 10_000})
    assert len(problem) < 120
    assert "\x1b" not in problem
    assert "\n" not in problem


def test_names_from_the_answer_are_cut_and_cleaned() -> None:
    schema = root(a={"additionalProperties": {"type": "integer"}})
    (problem,) = schemas.problems(schema, {"a": {"\x1b]0;x\n" + "y" * 10_000: "z"}})
    assert len(problem) < 250
    assert "\x1b" not in problem
    assert "\n" not in problem


def test_references_are_followed_with_what_stands_beside_them() -> None:
    schema = {**root(a={**PERSON, "required": ["age"]}), "$defs": {"person": root(name={"type": "string"})}}
    assert schemas.problems(schema, {"a": {"name": 1}}) == [
        'a: lacks "age"',
        "a.name: expected a string, not 1",
    ]


def test_another_draft_named_in_the_schema_does_not_change_how_it_is_run() -> None:
    schema = root(a={"$schema": "http://json-schema.org/draft-03/schema#", "type": "string", "const": "x"})
    assert schemas.problems(schema, {"a": "y"}) == ['a: expected "x", not "y"']


def test_decimal_multiples_are_exact() -> None:
    schema = root(a={"multipleOf": 0.1})
    assert schemas.problems(schema, {"a": 0.3}) == []
    assert schemas.problems(schema, {"a": 10**400}) == []


def test_true_and_one_are_not_the_same_item() -> None:
    assert schemas.problems(root(a={"uniqueItems": True}), {"a": [1, True, {"b": 1}, {"b": True}]}) == []


# problems: what is never run is not a problem

CATASTROPHE = "^(a+)+$"
VICTIM = "a" * 5_000 + "!"


# problems: bounded


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.nan, "NaN"),
        ([10**5000], "digits"),
        ({1: 2}, "a name"),
        ({"a": {1, 2}}, "a value that is not JSON"),
        ([0] * 300_000, "values"),
        ("\ud800", "surrogate"),
    ],
)
def test_a_value_that_is_not_json_is_one_problem(value: Any, words: str) -> None:
    (problem,) = schemas.problems(root(a={"type": "string"}), {"a": value})
    assert problem.startswith("a")
    assert words in problem


def test_a_value_that_is_too_deep_is_one_problem() -> None:
    value: Any = []
    for _ in range(1_000):
        value = [value]
    (problem,) = schemas.problems(root(a={"uniqueItems": True}), {"a": value})
    assert "more than 100 levels" in problem


def test_large_lists_of_objects_are_checked_for_the_same_item() -> None:
    items = [{"a": i} for i in range(20_000)]
    schema = root(a={"uniqueItems": True})
    assert schemas.problems(schema, {"a": items}) == []
    assert schemas.problems(schema, {"a": [*items, {"a": 7}]}) == ["a: has the same item twice"]


def test_validation_needs_little_of_the_stack() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(18):
        schema = {"oneOf": [schema, {"type": "null"}]}
    whole = root(a=schema)

    def below(frames: int) -> list[str]:
        if frames:
            return below(frames - 1)
        schemas.lint(whole)
        return schemas.problems(whole, {"a": 1})

    assert below(sys.getrecursionlimit() // 2) == ["a: expected a string or null, not 1"]


# Generated

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc") | st.text(max_size=3), inner),
    max_leaves=12,
)
ANYTHING = st.recursive(
    JSON | st.floats() | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["a", "b", "c"])
COUNTS = st.integers(0, 4)
SCALAR_KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["string", "integer", "number", "object", "array", "boolean", ["string", "null"]]),
    "enum": st.lists(JSON, min_size=1, max_size=3),
    "const": JSON,
    "required": st.lists(NAMES, unique=True),
    "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, unique=True)),
    "minimum": st.integers(-3, 3),
    "exclusiveMaximum": st.floats(-3, 3),
    "multipleOf": st.floats(1e-320, 10, exclude_min=True) | st.integers(1, 5),
    "pattern": st.sampled_from(["^a", "^b"]),
    "format": st.just("date"),
    "uniqueItems": st.booleans(),
    "additionalProperties": st.booleans(),
    "unevaluatedProperties": st.booleans(),
    "unevaluatedItems": st.booleans(),
    "$ref": st.sampled_from(["#/$defs/a", "#/$defs/b"]),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxContains"), COUNTS),
}


def some_of(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    pairs = [st.tuples(st.just(word), value) for word, value in keywords.items()]
    return st.lists(st.one_of(pairs), max_size=3).map(dict)


def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    one = dict.fromkeys(("items", "contains", "not", "if", "then", "else", "propertyNames"), inner)
    listed = {word: st.lists(inner, min_size=1, max_size=2) for word in ("allOf", "anyOf", "oneOf", "prefixItems")}
    named = {word: st.dictionaries(NAMES, inner, max_size=2) for word in ("properties", "dependentSchemas")}
    patterns = {"patternProperties": st.dictionaries(st.sampled_from(["^a", "^b"]), inner, min_size=1, max_size=2)}
    return some_of({**one, **listed, **named, **patterns, **SCALAR_KEYWORDS})


SCHEMAS = st.recursive(some_of(SCALAR_KEYWORDS), around, max_leaves=4)
ROOTS = st.builds(
    lambda properties, defs, rest: {**rest, "type": "object", "properties": properties, "$defs": defs},
    st.dictionaries(NAMES, SCHEMAS, min_size=1),
    st.fixed_dictionaries({"a": SCHEMAS, "b": some_of({**SCALAR_KEYWORDS, "$ref": st.just("#/properties/a")})}),
    st.sampled_from([{}, {"additionalProperties": False}, {"required": ["a"]}]),
)


@settings(deadline=None)
@given(ANYTHING)
def test_linting_anything_raises_nothing_but_a_refusal(schema: Any) -> None:
    for checked in (schema, root(a=schema), root(a={"items": schema, "properties": schema, "anyOf": schema})):
        try:
            assert isinstance(schemas.lint(checked), list)
        except SchemaRefused as refused:
            assert str(refused).startswith("output_schema, at #")


@settings(deadline=None, max_examples=200)
@given(ROOTS, JSON | ANYTHING)
def test_checking_any_value_against_a_linted_schema_raises_nothing(schema: Any, value: Any) -> None:
    try:
        schemas.lint(schema)
    except SchemaRefused:
        return
    for answer in (value, {"a": value, "b": value, "c": [value]}):
        for problem in schemas.problems(schema, answer):
            assert problem
            assert "\n" not in problem


def _multiples(node: Any) -> bool:
    """Whether a schema has multipleOf with a fraction, where the two round differently."""
    if isinstance(node, dict):
        return isinstance(node.get("multipleOf"), float) or any(map(_multiples, node.values()))
    return isinstance(node, list) and any(map(_multiples, node))


@settings(deadline=None, max_examples=200)
@given(ROOTS, JSON)
def test_an_answer_fits_exactly_if_the_jsonschema_library_says_so(schema: Any, value: Any) -> None:
    """Written on the same specification by others, in another language."""
    try:
        schemas.lint(schema)
    except SchemaRefused:
        return
    if _multiples(schema):
        return
    for answer in (value, {"a": value, "b": value}, {"c": [value]}):
        assert (schemas.problems(schema, answer) == []) is Draft202012Validator(schema).is_valid(answer)


@settings(deadline=None)
@given(st.text() | st.text(alphabet='{}[]",:\\ab1 \n`'))
def test_reading_any_text_raises_nothing_but_value_error(text: str) -> None:
    try:
        schemas.read(text)
    except ValueError as error:
        assert str(error)


@settings(deadline=None)
@given(st.dictionaries(st.text(), JSON, min_size=1), st.text(alphabet="abc .,'\n`"), st.text(alphabet="abc .,'\n`}"))
def test_an_object_in_prose_is_read_back(value: Any, before: str, after: str) -> None:
    try:
        value = json.loads(json.dumps(value).encode())
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert schemas.read(before + json.dumps(value) + after) == value


# Patterns, and schemas designed to take long


def test_a_pattern_is_checked_on_the_answer_and_said_to_be() -> None:
    schema = root(a={"type": "string", "pattern": "^[a-z]+$"}, b={"patternProperties": {"^x": {"type": "integer"}}})
    assert (
        "`pattern` at #/properties/a is not enforced by Parallel; the answer is checked against it here."
        in schemas.lint(schema)
    )
    assert schemas.problems(schema, {"a": "abc", "b": {"xy": 1, "y": "z"}}) == []
    assert schemas.problems(schema, {"a": "A", "b": {"xy": "z"}}) == [
        'a: "A" does not match the pattern',
        'b.xy: expected an integer, not "z"',
    ]


def test_a_pattern_that_is_no_regular_expression_is_refused() -> None:
    assert "#/properties/a/pattern" in refusal(root(a={"pattern": "(unclosed"}))


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", r"^(a+)\\1+$", "^(?=(a+)+$)x", "(x+x+)+y"])
def test_patterns_that_go_back_and_forth_end(pattern: str) -> None:
    schema = root(a={"pattern": pattern})
    schemas.lint(schema)
    assert len(schemas.problems(schema, {"a": "a" * 50_000 + "b" + "x" * 50_000})) <= 1
