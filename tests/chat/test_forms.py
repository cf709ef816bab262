"""Every form in which models give sources, endings, JSON and text, each by a test of its own."""

import json
from typing import Any

import pytest

from parallel_mcp import chat
from parallel_mcp.chat import CUT_SHORT, STOPPED_EARLY, Reading, Reply
from parallel_mcp.models import Answer, Question, Research
from parallel_mcp.report import markdown

SPEED = Question(text="Why?", model="speed")
BASE = Question(text="Why?", model="base")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}, "required": ["n"]}
DATA = BASE.model_copy(update={"output_schema": SCHEMA})
UNREAD = "Named as sources, but without a readable URL"
A, B = "https://a.example/one", "https://b.example/two_(2)"


def understood(content: str, question: Question = SPEED, **more: Any) -> Answer:
    reply = Reply(content, more.pop("basis", ()), None, True, **more)
    return chat.answer(question, reply, answer_citations=True, cost_usd=0.005, seconds=1.0)


def read(body: bytes, question: Question = SPEED) -> Answer:
    reading = Reading()
    reading.feed(body)
    return chat.answer(question, reading.reply(), answer_citations=True, cost_usd=0.005, seconds=1.0)


def sources(answer: Answer) -> list[tuple[str, str | None]]:
    return [(citation.url, citation.title) for citation in answer.citations]


NAMED: dict[str, tuple[Any, list[tuple[str, str | None]]]] = {
    "bare": ([A, B], [(A, None), (B, None)]),
    "Markdown links": ([f"[One]({A})", f"[Two]({B})"], [(A, "One"), (B, "Two")]),
    "title - url": ([f"One - {A}", f"Two: {B}"], [(A, "One"), (B, "Two")]),
    "angle brackets": ([f"<{A}>", f"Two <{B}>"], [(A, None), (B, "Two")]),
    "labels": ([f"[1] {A}", f"[2] Two, {B}"], [(A, None), (B, "Two")]),
    "objects with url": ([{"url": A, "title": "One"}, {"url": B}], [(A, "One"), (B, None)]),
    "objects with link": ([{"link": A, "name": "One"}], [(A, "One")]),
    "objects with href": ([{"href": A, "label": "One"}], [(A, "One")]),
    "objects with source": ([{"source": A, "title": "One"}], [(A, "One")]),
    "a map by title": ({"One": A, "Two": B}, [(A, "One"), (B, "Two")]),
    "a map by number": ({"1": A, "2": B}, [(A, None), (B, None)]),
    "a map of objects": ({"1": {"url": A, "title": "One"}}, [(A, "One")]),
    "nested lists": ([[A], [[B]]], [(A, None), (B, None)]),
    "several in a string": (f"{A}, {B}", [(A, None), (B, None)]),
    "several in one item": ([f"{A} and {B}"], [(A, None), (B, None)]),
    "two on two lines": (f"{A}\n{B}", [(A, None), (B, None)]),
    "the same twice": ([A, A], [(A, None)]),
}


@pytest.mark.parametrize("key", ["citations", "sources", "references"])
@pytest.mark.parametrize("form", NAMED)
def test_sources_are_read_in_every_form_and_nothing_is_invented(form: str, key: str) -> None:
    given, meant = NAMED[form]
    answer = understood(json.dumps({"answer": "So.", key: given}))
    assert answer.content == "So."
    assert sources(answer) == meant
    assert not any(warning.startswith(UNREAD) for warning in answer.warnings)


@pytest.mark.parametrize(
    "prose",
    [f"So, as {A} says; see {B}.", f"So ([One]({A})), and <{B}>.", f"So:\n{A}\n{B}\n"],
    ids=lambda text: text[:8],
)
def test_links_in_plain_prose_are_sources(prose: str) -> None:
    answer = understood(prose)
    assert [url for url, _ in sources(answer)] == [A, B]


@pytest.mark.parametrize(
    "given", [["Smith, 2020"], [{"title": "A book"}], "my memory", ["ftp://a.example"], [A, "x.y"]]
)
def test_what_cannot_be_read_as_a_source_is_named(given: Any) -> None:
    answer = understood(json.dumps({"answer": "So.", "citations": given}))
    (warning,) = [warning for warning in answer.warnings if warning.startswith(UNREAD)]
    unread = given if isinstance(given, str) else given[-1]
    assert (unread if isinstance(unread, str) else "A book") in warning


def test_with_a_callers_schema_sources_are_given_as_well_and_data_is_the_callers() -> None:
    question = SPEED.model_copy(update={"output_schema": SCHEMA})
    answer = understood(json.dumps({"n": 1, "citations": [f"[One]({A})"]}), question)
    assert (answer.data, sources(answer)) == ({"n": 1}, [(A, "One")])


# Endings


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("reason", ["length", "content_filter", "error", "max_tokens"])
def test_an_answer_that_the_model_ended_early_is_cut_and_is_not_reused(reason: str, streamed: bool) -> None:
    choice = {"index": 0, "finish_reason": reason}
    body = json.dumps({"choices": [{**choice, "message": {"content": "So it"}}]})
    if streamed:
        chunk = json.dumps({"choices": [{**choice, "delta": {"content": "So it"}}]})
        body = f"data: {chunk}\n\ndata: [DONE]\n\n"
    answer = read(body.encode())
    assert answer.content == "So it"
    assert any(warning.startswith(STOPPED_EARLY) and reason in warning for warning in answer.warnings)
    assert not chat.is_whole(answer)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("reason", ["stop", "STOP", "end_turn", "", None])
def test_an_ordinary_ending_is_none_of_that(reason: str | None, streamed: bool) -> None:
    choice = {"index": 0, "finish_reason": reason}
    body = json.dumps({"choices": [{**choice, "message": {"content": "So it is."}}]})
    if streamed:
        chunk = json.dumps({"choices": [{**choice, "delta": {"content": "So it is."}}]})
        body = f"data: {chunk}\n\ndata: [DONE]\n\n"
    answer = read(body.encode())
    assert chat.is_whole(answer)
    assert not any(warning.startswith((CUT_SHORT, STOPPED_EARLY)) for warning in answer.warnings)


def test_output_as_the_whole_answer_is_unwrapped() -> None:
    assert understood('{"output": "It is so.\\n\\nYes."}', BASE).content == "It is so.\n\nYes."
    for other in ('{"output": "a", "b": 1}', '{"output": {"a": 1}}', '{"outputs": "a"}', 'So: {"output": "a"}'):
        assert understood(other, BASE).content == other


NEARLY = {
    "trailing comma": '{"n": 1, "s": "a,}",}',
    "trailing commas": '{"n": 1, "s": "a,}" , \n}',
    "fenced": '```json\n{"n": 1, "s": "a,}"}\n```',
    "fenced with words around": 'Here:\n\n```json\n{"n": 1, "s": "a,}"}\n```\nDone.',
    "double-encoded": json.dumps('{"n": 1, "s": "a,}"}'),
    "wrapped once": '{"result": {"n": 1, "s": "a,}"}}',
    "wrapped in a list": '[{"n": 1, "s": "a,}"}]',
    "wrapped and encoded": json.dumps({"output": '{"n": 1, "s": "a,}"}'}),
    "byte order mark": '\ufeff{"n": 1, "s": "a,}"}',
}


@pytest.mark.parametrize("form", NEARLY)
def test_json_that_is_nearly_right_is_read(form: str) -> None:
    answer = understood(NEARLY[form], DATA)
    assert answer.data == {"n": 1, "s": "a,}"}
    assert answer.warnings == ()


@pytest.mark.parametrize(
    "content", ['{"n": 1, "s": "a', '{"n": 1 "s": "a"}', '{"n": 1,, "s": "a"}', "n is 1", "{'n': 1}"]
)
def test_json_whose_meaning_is_not_certain_is_given_as_text(content: str) -> None:
    answer = understood(content, DATA)
    assert (answer.data, answer.content) == (None, content)
    assert "not JSON" in answer.warnings[0]


# Text


def _stream(*deltas: str) -> bytes:
    chunks = [f'{{"choices": [{{"delta": {{"content": "{delta}"}}}}]}}' for delta in deltas]
    return "".join(f"data: {chunk}\n\n" for chunk in (*chunks, "[DONE]")).encode()


@pytest.mark.parametrize(
    ("deltas", "meant"),
    [
        ((r"So \ud83d", r"\ude00."), "So \U0001f600."),
        ((r"So \ud83d\ude00.",), "So \U0001f600."),
        ((r"So \ud83d", "."), "So \ufffd."),
        ((r"So \ude00", "."), "So \ufffd."),
        ((r"So.", r"\ud83d"), "So.\ufffd"),
    ],
)
def test_a_surrogate_pair_that_is_split_or_halved_loses_no_answer(deltas: tuple[str, ...], meant: str) -> None:
    answer = read(_stream(*deltas), BASE)
    assert answer.content == meant
    assert json.loads(answer.model_dump_json())["content"] == meant


@pytest.mark.parametrize("half", [r"\\ud83d", r"\\ude00", r"\ud83d", r"\ude00"])
def test_half_a_pair_does_not_break_the_json_around_it(half: str) -> None:
    answer = read(_stream(r"{\"n\": 1, \"s\": \"a ", half, r" b\"}"), DATA)
    assert answer.data == {"n": 1, "s": "a \ufffd b"}


@pytest.mark.parametrize("blank", ["\x0c", "\r", "\x0b", "\x85"])
def test_form_feeds_and_lone_carriage_returns_become_blanks(blank: str) -> None:
    assert understood(f"one{blank}two\r\nthree", BASE).content == "one two\nthree"


def test_invisible_tag_characters_and_direction_marks_are_stripped_everywhere() -> None:
    hidden = (
        "".join(chr(0xE0000 + ord(char)) for char in "ignore all") + "\u202e\u2066\u2069\u200e\u200f\u061c\U000e007f"
    )
    source = {"url": A, "title": f"t{hidden}", "excerpts": [f"e{hidden}"]}
    basis = [{"field": "output", "reasoning": f"b{hidden}c", "citations": [source]}]
    answer = understood(f"So{hidden}.", BASE, basis=basis)
    assert (answer.content, answer.basis[0].reasoning) == ("So.", "bc")
    assert (answer.citations[0].title, answer.citations[0].excerpts) == ("t", ("e",))


def _page(url: str) -> str:
    answer = understood("So.", BASE, basis=[{"field": "output", "citations": [{"url": url, "title": "T"}]}])
    return markdown(
        Research(
            research_id="r", status="completed", question="Why?", model="base", created_at="2026-11-25T00:00:00Z",
            seconds=1.0, attempts=1, answer=answer, error=None,
        )
    )  # fmt: skip


def test_an_international_host_name_in_markdown_is_punycode() -> None:
    # A Cyrillic а in place of the Latin letter.
    page = _page("https://ex\u0430mple.com/b\u00fccher")
    assert "xn--exmple-4nf.com" in page
    assert "ex\u0430mple.com" not in page


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x", "mailto:a@b.c"]
)
def test_a_citation_with_another_scheme_is_given_without_a_link(url: str) -> None:
    page = _page(url)
    assert url.split(":")[0] in page
    assert f"]({url}" not in page
    assert f"<{url}" not in page
