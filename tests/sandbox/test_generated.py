"""Whatever is asked, in whatever form, the sandbox answers or refuses, and never fails."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.sandboxes import Caller

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
kinds = st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "null"])
names = st.sampled_from(["answer", "citations", "year", "price", "name", "url", "reasoning", "kind"]) | st.text(
    max_size=6
)


def one_level(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": kinds | st.lists(kinds, max_size=3) | scalars,
            "properties": st.dictionaries(names, inner, max_size=4) | values,
            "required": st.lists(names, max_size=3) | values,
            "items": inner,
            "enum": st.lists(scalars, max_size=4),
            "const": scalars,
            "anyOf": st.lists(inner, max_size=3),
            "oneOf": st.lists(inner, max_size=3),
            "allOf": st.lists(inner, max_size=3),
            "$ref": st.sampled_from(["#", "#/properties/answer", "#/$defs/x", "https://x.example/s"])
            | st.text(max_size=8),
            "minimum": scalars,
            "maximum": scalars,
            "minItems": scalars,
            "maxItems": scalars,
            "maxLength": scalars,
            "description": scalars,
        },
    )


schemas = st.recursive(one_level(st.just({})), one_level, max_leaves=6)
formats = (
    st.builds(lambda schema: {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}, schemas)
    | st.just({"type": "json_object"})
    | values
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": st.text(max_size=80) | values}
    ),
    max_size=3,
)
requests = st.fixed_dictionaries(
    {"model": st.sampled_from(["speed", "lite", "base", "core"]), "messages": messages},
    optional={
        "stream": st.booleans() | scalars,
        "response_format": formats,
        "previous_interaction_id": scalars,
        "tools": values,
        "max_tokens": values,
    },
)


@given(body=requests | values)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_generated_request_gives_a_500(sandbox: Caller, body: Any) -> None:
    answered = await sandbox.client.post("/chat/completions", content=json.dumps(body).encode(), headers=JSON)
    assert answered.status_code in {200, 400, 404, 422}


@given(raw=st.binary(max_size=200))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_generated_bytes_give_a_500(sandbox: Caller, raw: bytes) -> None:
    answered = await sandbox.client.post("/chat/completions", content=raw, headers=JSON)
    assert answered.status_code in {400, 422}


@given(question=st.text(st.characters(exclude_categories=()), min_size=1, max_size=300))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_text_is_a_question(sandbox: Caller, question: str) -> None:
    asked = {"model": "core", "messages": [{"role": "user", "content": question}]}
    answered = await sandbox.client.post("/chat/completions", content=json.dumps(asked).encode(), headers=JSON)
    assert answered.status_code == 200
