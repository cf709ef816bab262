"""The Chat API's tables, row by row, over a real socket."""

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from parallel_mcp.sandbox import SandboxOptions
from parallel_mcp.sandbox.traffic import RateWindow
from tests.support.sandboxes import QUESTION, Caller, Start, written

pytestmark = pytest.mark.anyio

# The rows of the tables, by name.
IGNORED = """
max_tokens max_completion_tokens stream_options top_p parallel_tool_calls stop temperature n logprobs metadata
prediction presence_penalty frequency_penalty seed service_tier audio logit_bias store user modalities top_logprobs
reasoning_effort tools tool_choice functions function_call something_unheard_of
"""
IGNORED_ON_MESSAGES = """
tool_calls tool_call_id function_call audio modalities something_unheard_of
"""
EMPTY = """
id object model service_tier system_fingerprint choices.0.finish_reason choices.0.logprobs
choices.0.message.tool_calls choices.0.message.refusal choices.0.message.audio usage.completion_tokens
usage.prompt_tokens usage.total_tokens usage.completion_tokens_details usage.prompt_tokens_details
"""
SILENT_HEADERS = """
x-ratelimit-limit-requests x-ratelimit-limit-tokens x-ratelimit-remaining-requests x-ratelimit-remaining-tokens
x-ratelimit-reset-requests x-ratelimit-reset-tokens retry-after x-request-id openai-version openai-processing-ms
"""
ANY_VALUE: list[Any] = [None, True, 7, -1.5, "text", [], [1], {}, {"type": "x"}]
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}
MISSING = object()
JSON = {"content-type": "application/json"}


def at(body: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(body, list):
            body = body[int(step)]
        elif isinstance(body, dict):
            body = body.get(step, MISSING)
    return body


# Request fields


@pytest.mark.parametrize("model", ["speed", "lite", "base", "core"])
async def test_each_model_answers(sandbox: Caller, model: str) -> None:
    answered = await sandbox.chat(model=model)
    assert answered.status_code == 200
    assert "context manager" in answered.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("wrong", ["gpt-4o", "", None, 3, ["speed"]])
async def test_another_model_is_refused_by_name_of_the_field(sandbox: Caller, wrong: Any) -> None:
    refused = await sandbox.chat(model=wrong)
    assert refused.status_code == 422
    assert "model" in refused.json()["error"]["message"]


@pytest.mark.parametrize("name", IGNORED.split())
async def test_ignored_request_field_is_accepted_whatever_its_value(sandbox: Caller, name: str) -> None:
    plain = (await sandbox.chat()).json()["choices"]
    for value in ANY_VALUE:
        answered = await sandbox.chat(**{name: value})
        assert answered.status_code == 200
        assert answered.json()["choices"] == plain


@pytest.mark.parametrize("stream", [None, False])
async def test_stream_left_off_gives_one_json_body(sandbox: Caller, stream: bool | None) -> None:
    answered = await sandbox.chat(stream=stream)
    assert answered.headers["content-type"] == "application/json"


async def test_stream_gives_server_sent_events(sandbox: Caller) -> None:
    answered = await sandbox.chat(stream=True)
    assert answered.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("stream", ["yes", 1, {}])
async def test_stream_of_another_type_is_refused(sandbox: Caller, stream: Any) -> None:
    assert (await sandbox.chat(stream=stream)).status_code == 422


@pytest.mark.parametrize("asked", [None, {"type": "text"}], ids=["null", "text"])
async def test_response_format_text_is_prose(sandbox: Caller, asked: Any) -> None:
    content = (await sandbox.chat(response_format=asked)).json()["choices"][0]["message"]["content"]
    assert "[1]" in content


@pytest.mark.parametrize("model", ["speed", "base"])
async def test_response_format_json_object_is_an_object(sandbox: Caller, model: str) -> None:
    answered = await sandbox.chat(model=model, response_format={"type": "json_object"})
    value = json.loads(answered.json()["choices"][0]["message"]["content"])
    assert value["answer"]
    assert value["citations"][0].startswith("https://docs.python.org/3/")


@pytest.mark.parametrize("model", ["speed", "base"])
async def test_response_format_json_schema_is_followed(sandbox: Caller, model: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "description": None, "schema": SCHEMA}}
    answered = await sandbox.chat(model=model, response_format=form)
    assert list(json.loads(answered.json()["choices"][0]["message"]["content"])) == ["answer"]


@pytest.mark.parametrize(
    "wrong",
    [{}, {"type": "yaml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "a"}}, "text"],
    ids=repr,
)
async def test_response_format_of_another_kind_is_refused(sandbox: Caller, wrong: Any) -> None:
    refused = await sandbox.chat(response_format=wrong)
    assert refused.status_code == 422
    assert "response_format" in refused.json()["error"]["message"]


BOILER = "# Boiler\n\nThe boiler heats water for the whole house. Its relief valve opens at three bar."
PUMP = "# Pump\n\nThe pump moves cold water to the tank. Its relief valve opens at nine bar."
FOLLOW_UP = "When does the relief valve open?"


@pytest.fixture
async def manuals(start: Start, tmp_path: Path) -> AsyncIterator[Caller]:
    folder = written(tmp_path / "manuals", boiler=BOILER, pump=PUMP)
    async with start(SandboxOptions(corpus=(folder,), interactions=tmp_path / "i.sqlite3")) as caller:
        yield caller


@pytest.mark.parametrize(
    ("question", "bar"), [("What does the boiler heat?", "three"), ("Where does the pump move water?", "nine")]
)
async def test_follow_up_is_answered_from_the_earlier_answers_documents(
    manuals: Caller, question: str, bar: str
) -> None:
    first = (await manuals.chat(question)).json()
    after = (await manuals.chat(FOLLOW_UP, previous_interaction_id=first["interaction_id"])).json()
    assert f"opens at {bar} bar" in after["choices"][0]["message"]["content"]
    assert len(after["basis"][0]["citations"]) == 1


async def test_follow_up_that_the_earlier_documents_do_not_answer_is_not_found(manuals: Caller) -> None:
    first = (await manuals.chat("What does the boiler heat?")).json()
    asked = "Where does the pump move water?"
    after = (await manuals.chat(asked, previous_interaction_id=first["interaction_id"])).json()
    assert "Not found in these documents" in after["choices"][0]["message"]["content"]
    assert "the documents of the earlier answer" in after["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("question", "bar"), [("What does the boiler heat?", "three"), ("Where does the pump move water?", "nine")]
)
async def test_earlier_messages_give_a_follow_up_its_documents(manuals: Caller, question: str, bar: str) -> None:
    said = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": "Water."},
        {"role": "user", "content": FOLLOW_UP},
    ]
    content = (await manuals.chat(messages=said)).json()["choices"][0]["message"]["content"]
    assert f"opens at {bar} bar" in content


async def test_follow_up_works_in_another_process(start: Start, tmp_path: Path) -> None:
    folder = written(tmp_path / "manuals", boiler=BOILER, pump=PUMP)
    options = SandboxOptions(corpus=(folder,), interactions=tmp_path / "i.sqlite3")
    async with start(options) as one:
        first = (await one.chat("Where does the pump move water?")).json()
    async with start(options) as other:
        after = (await other.chat(FOLLOW_UP, previous_interaction_id=first["interaction_id"])).json()
    assert "opens at nine bar" in after["choices"][0]["message"]["content"]


async def test_unknown_previous_interaction_is_not_found(sandbox: Caller) -> None:
    assert (await sandbox.chat(previous_interaction_id="nobody")).status_code == 404


async def test_interaction_of_another_key_is_not_found(sandbox: Caller) -> None:
    first = (await sandbox.chat()).json()
    sandbox.client.headers["authorization"] = "Bearer somebody else"
    assert (await sandbox.chat(previous_interaction_id=first["interaction_id"])).status_code == 404


# Message fields


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
async def test_message_role_is_accepted(sandbox: Caller, role: str) -> None:
    said = [{"role": role, "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    assert (await sandbox.chat(messages=said)).status_code == 200


@pytest.mark.parametrize("role", ["tool", "developer", "", None])
async def test_message_of_another_role_is_refused(sandbox: Caller, role: Any) -> None:
    assert (await sandbox.chat(messages=[{"role": role, "content": "x"}])).status_code == 422


@pytest.mark.parametrize("content", [[{"type": "text", "text": "x"}], None, 3, {}], ids=repr)
async def test_message_content_is_a_string_only_and_the_refusal_says_so(sandbox: Caller, content: Any) -> None:
    refused = await sandbox.chat(messages=[{"role": "user", "content": content}])
    assert refused.status_code == 422
    assert "messages.0.content: content must be a string" in refused.json()["error"]["message"]


@pytest.mark.parametrize("name", [None, "ada"])
async def test_message_name_is_accepted(sandbox: Caller, name: str | None) -> None:
    said = [{"role": "user", "content": QUESTION, "name": name}]
    assert (await sandbox.chat(messages=said)).status_code == 200


@pytest.mark.parametrize("name", IGNORED_ON_MESSAGES.split())
async def test_ignored_message_field_is_accepted_whatever_its_value(sandbox: Caller, name: str) -> None:
    for value in ANY_VALUE:
        said = [{"role": "user", "content": QUESTION, name: value}]
        assert (await sandbox.chat(messages=said)).status_code == 200


@pytest.mark.parametrize("messages", [[], None, "hello", [3]], ids=repr)
async def test_messages_that_are_none_are_refused(sandbox: Caller, messages: Any) -> None:
    assert (await sandbox.chat(messages=messages)).status_code == 422


# Response fields


@pytest.mark.parametrize("path", EMPTY.split())
@pytest.mark.parametrize(("empty", "value"), [("null", None), ("string", ""), ("absent", MISSING)])
async def test_always_empty_field_is_sent_as_the_options_say(start: Start, path: str, empty: Any, value: Any) -> None:
    async with start(SandboxOptions(empty=empty)) as sandbox:
        assert at((await sandbox.chat()).json(), path) == value


async def test_supported_response_fields_are_filled(sandbox: Caller) -> None:
    before = int(time.time())
    body = (await sandbox.chat()).json()
    assert before <= body["created"] <= int(time.time())
    assert len(body["choices"]) == 1
    assert body["choices"][0]["index"] == 0
    assert body["choices"][0]["message"]["role"] == "assistant"
    assert body["choices"][0]["message"]["content"]
    assert body["interaction_id"]


async def test_choices_are_one_even_where_n_is_more(sandbox: Caller) -> None:
    assert len((await sandbox.chat(n=4)).json()["choices"]) == 1


@pytest.mark.parametrize("model", ["lite", "base", "core"])
async def test_basis_comes_with_research_models(sandbox: Caller, model: str) -> None:
    (entry,) = (await sandbox.chat(model=model)).json()["basis"]
    assert entry["field"] == "output"
    assert entry["reasoning"]
    assert entry["confidence"] in {"low", "medium", "high"}
    assert entry["citations"][0].keys() == {"url", "title", "excerpts"}


async def test_speed_has_no_basis_and_lists_its_sources_in_the_text(sandbox: Caller) -> None:
    body = (await sandbox.chat(model="speed")).json()
    assert body["basis"] == []
    assert "## References\n\n1. *" in body["choices"][0]["message"]["content"]


# Errors


async def test_body_that_is_not_json_is_a_400(sandbox: Caller) -> None:
    for body in (b"{", b"", b"[]", b"\xff\xfe", b"[" * 200_000):
        refused = await sandbox.client.post("/chat/completions", content=body, headers=JSON)
        assert refused.status_code == 400
        assert refused.json()["type"] == "error"


async def test_validation_error_comes_in_parallels_own_shape(sandbox: Caller) -> None:
    body = (await sandbox.chat(model="x")).json()
    assert body.keys() == {"type", "error"}
    assert body["type"] == "error"
    assert body["error"].keys() == {"ref_id", "message", "detail"}
    assert body["error"]["detail"]["errors"][0]["loc"] == ["body", "model"]


@pytest.mark.parametrize("value", ["", "Bearer", "Basic abc"])
async def test_no_key_is_a_401(sandbox: Caller, value: str) -> None:
    sandbox.client.headers["authorization"] = value
    refused = await sandbox.chat()
    assert refused.status_code == 401
    assert refused.json()["error"]["ref_id"]


async def test_unknown_path_is_a_404_in_openais_shape(sandbox: Caller) -> None:
    refused = await sandbox.client.post("/v1/responses", json={})
    assert refused.status_code == 404
    assert refused.json()["error"].keys() == {"message", "type", "param", "code"}


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "PUT", "DELETE"])
async def test_wrong_method_is_a_405_in_openais_shape(sandbox: Caller, method: str) -> None:
    refused = await sandbox.client.request(method, "/chat/completions")
    assert refused.status_code == 405
    assert "POST" in refused.json()["error"]["message"]
    assert refused.headers["allow"] == "POST"


async def test_body_over_ten_megabytes_is_a_413(sandbox: Caller) -> None:
    refused = await sandbox.client.post("/chat/completions", content=b" " * 10_000_001, headers=JSON)
    assert refused.status_code == 413


async def test_request_over_the_limit_is_a_429_and_other_keys_go_on(start: Start) -> None:
    async with start(SandboxOptions(requests_per_minute=2)) as sandbox:
        codes = [(await sandbox.chat()).status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        sandbox.client.headers["authorization"] = "Bearer another"
        assert (await sandbox.chat()).status_code == 200


def test_rate_window_rolls() -> None:
    now = 0.0
    window = RateWindow(2, clock=lambda: now)
    assert [window.take("a"), window.take("a"), window.take("a")] == [True, True, False]
    now = 59.9
    assert not window.take("a")
    now = 60.0
    assert [window.take("a"), window.take("a"), window.take("a")] == [True, True, False]


def test_documented_limit_is_the_default() -> None:
    assert SandboxOptions().requests_per_minute == 300


# Headers and paths


PATHS = ["/chat/completions", "/v1/chat/completions", "/v1beta/chat/completions"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("header", [{"authorization": "Bearer k"}, {"authorization": "bearer k"}, {"x-api-key": "k"}])
async def test_each_path_takes_either_header(sandbox: Caller, path: str, header: dict[str, str]) -> None:
    async with httpx2.AsyncClient(base_url=sandbox.url, headers=header, trust_env=False) as client:
        asked = {"model": "speed", "messages": [{"role": "user", "content": QUESTION}]}
        assert (await client.post(path, json=asked)).status_code == 200


@pytest.mark.parametrize("name", SILENT_HEADERS.split())
async def test_header_that_parallel_ignores_is_not_sent(start: Start, name: str) -> None:
    async with start(SandboxOptions(requests_per_minute=1)) as sandbox:
        answers = [await sandbox.chat(), await sandbox.chat()]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert all(name not in answer.headers for answer in answers)


@pytest.mark.parametrize("name", SILENT_HEADERS.split())
async def test_header_that_parallel_ignores_is_accepted(sandbox: Caller, name: str) -> None:
    sandbox.client.headers[name] = "1"
    assert (await sandbox.chat()).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/v1", "/v1beta"])
async def test_models_are_listed(sandbox: Caller, prefix: str) -> None:
    body = (await sandbox.client.get(f"{prefix}/models")).json()
    assert [row["id"] for row in body["data"]] == ["speed", "lite", "base", "core"]


async def test_page_at_the_root_says_what_this_is(sandbox: Caller) -> None:
    page = await sandbox.client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "documents on this machine" in page.text
    assert f"{sandbox.url}/chat/completions" in page.text


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_body_that_is_not_sent_as_json_is_a_415(sandbox: Caller, kind: str | None) -> None:
    asked = json.dumps({"model": "lite", "messages": [{"role": "user", "content": QUESTION}]})
    headers = {"content-type": kind} if kind else {}
    refused = await sandbox.client.post("/chat/completions", content=asked.encode(), headers=headers)
    assert refused.status_code == 415
    assert "Content-Type: application/json" in refused.json()["error"]["message"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8787", "127.0.0.1.evil.example", ""])
async def test_foreign_host_is_refused_as_a_rebound_name_would_be(sandbox: Caller, host: str) -> None:
    sandbox.client.headers["host"] = host
    assert (await sandbox.chat()).status_code == 421
    assert (await sandbox.client.get("/")).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:9"])
async def test_host_that_names_this_machine_is_served(sandbox: Caller, host: str) -> None:
    sandbox.client.headers["host"] = host
    assert (await sandbox.chat()).status_code == 200


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example", 403), ("null", 403), ("http://localhost:3000", 200), ("http://127.0.0.1", 200)],
)
async def test_page_of_another_site_may_not_ask(sandbox: Caller, origin: str, status: int) -> None:
    sandbox.client.headers["origin"] = origin
    assert (await sandbox.chat()).status_code == status
