"""Results over `max_result_chars`: what is cut, in which order, and what never is."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import CallToolResult

from parallel_mcp import errors
from parallel_mcp.models import Answer, Basis, Citation, Question
from parallel_mcp.research import INTERRUPTED, ResearchRun, Scope
from parallel_mcp.tools.results import answer_result, research_result
from tests.support.clients import links_of, text_of

CITATIONS = tuple(
    Citation(number=number, url=f"https://example.com/{number}", title=f"Title {number}", excerpts=("word " * 200,) * 2)
    for number in range(1, 11)
)
BASIS = (Basis(field="output", reasoning="Because. " * 100, confidence="low", citations=(1, 2)),)
PARAGRAPHS = "\n\n".join(f"Paragraph {number}: it is so." for number in range(1, 2_001))


def answer_of(content: str, **more: Any) -> Answer:
    whole: dict[str, Any] = {
        "content": content,
        "data": None,
        "citations": CITATIONS,
        "basis": BASIS,
        "model": "base",
        "interaction_id": "i-1",
        "cost_usd": 0.01,
        "seconds": 3,
        "reused": False,
        "warnings": (),
    }
    return Answer(**{**whole, **more})


def row_of(answer: Answer | None = None, **more: Any) -> ResearchRun:
    whole: dict[str, Any] = {
        "research_id": "r-1",
        "scope": Scope("local", "payer", "origin"),
        "question": Question(text="Why?", model="base"),
        "status": "working" if answer is None else "completed",
        "created_at": 1_000.0,
        "attempts": 1,
        "holder": None,
        "due": None,
        "finished_at": None if answer is None else 1_003.0,
        "answer": answer,
        "error": None,
        "may_be_billed": False,
        "cost_usd": 0.01,
        "read_at": 1_003.0,
    }
    return ResearchRun(**{**whole, **more})


def result_of(row: ResearchRun, *, limit: int = 40_000, first: bool = True, **more: Any) -> CallToolResult:
    return research_result(row, first=first, limit=limit, **more)


def lengths(result: CallToolResult) -> tuple[int, int]:
    structured = json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
    return len(text_of(result).encode()), len(structured.encode())


def shown(result: CallToolResult) -> Answer:
    assert result.structured_content is not None
    return Answer.model_validate(result.structured_content["answer"])


def test_what_fits_is_given_whole_and_without_a_link() -> None:
    answer = answer_of("It is so.")
    result = result_of(row_of(answer))
    assert shown(result) == answer
    assert links_of(result) == []
    assert text_of(result).count(" ".join(["word"] * 200)) == 20


def test_excerpts_are_trimmed_before_the_text_is_cut() -> None:
    content = "It is so. " * 600
    citations = tuple(each.model_copy(update={"excerpts": (f"{each.number} word " * 200,)}) for each in CITATIONS)
    result = result_of(row_of(answer_of(content, citations=citations)), limit=14_000)
    assert max(lengths(result)) <= 14_000
    assert shown(result).content == content
    assert 0 < len(shown(result).citations[0].excerpts[0]) <= 300
    assert content.strip() in text_of(result)
    assert "Parts of excerpts were left out to fit. The full answer is at research://r-1/md." in text_of(result)
    assert "Parts of excerpts were left out" in shown(result).warnings[0]


def test_then_the_text_is_cut_at_a_paragraph_and_both_channels_say_the_same() -> None:
    result = result_of(row_of(answer_of(PARAGRAPHS)), limit=10_000)
    assert max(lengths(result)) <= 10_000
    assert max(lengths(result)) > 7_000
    assert text_of(result).startswith(shown(result).content)
    assert PARAGRAPHS.startswith(shown(result).content.partition("[cut here]")[0].rstrip() + "\n\n")
    for said in (text_of(result), " ".join(shown(result).warnings)):
        assert "left out to fit, and the text was cut. The full answer is at research://r-1/md." in said
    assert [link.uri for link in links_of(result)] == ["research://r-1/md"]


@pytest.mark.parametrize("limit", [2_000, 3_000, 40_000])
def test_citations_are_never_cut(limit: int) -> None:
    citations = tuple(citation.model_copy(update={"url": citation.url + "x" * 300}) for citation in CITATIONS)
    result = result_of(row_of(answer_of(PARAGRAPHS, citations=citations)), limit=limit)
    for citation, whole in zip(shown(result).citations, citations, strict=True):
        assert (citation.number, citation.url, citation.title) == (whole.number, whole.url, whole.title)
        assert f"[{whole.number}] {whole.title} - {whole.url}" in text_of(result)
    assert len(shown(result).content) >= 900, "however many citations, some of the text stays"


PARTS = tuple(
    Basis(field=f"{part}{place}", reasoning="Because. " * 40, confidence=sure, citations=(number,))
    for number, part in enumerate(("who", "when"), 1)
    for place, sure in (("", "high"), (".0", "medium"), (".0.name", None))
)


def test_what_is_too_long_goes_in_order_and_data_stays_whole() -> None:
    data = {"who": [{"name": "It is so."}] * 300, "when": "x" * 3_000}
    answer = answer_of(json.dumps(data), data=data, basis=PARTS)
    seen: list[str] = []
    for limit in range(40_000, 11_000, -200):
        result = result_of(row_of(answer), limit=limit)
        fitted = shown(result)
        assert max(lengths(result)) <= limit
        assert fitted.data == data
        assert [(each.number, each.url) for each in fitted.citations] == [(each.number, each.url) for each in CITATIONS]
        missing = {
            "repeats": sum(len(each.excerpts) for each in fitted.citations) < 10,
            "excerpts": not any(each.excerpts for each in fitted.citations),
            "reasoning": not any(entry.reasoning for entry in fitted.basis),
            "parts": len(fitted.basis) == 2,
            "content": not fitted.content,
        }
        seen += [name for name, gone in missing.items() if gone and name not in seen]
        assert json.dumps(data) in text_of(result)
    assert seen == ["repeats", "excerpts", "reasoning", "parts", "content"]
    assert [(entry.field, entry.confidence, entry.citations) for entry in fitted.basis] == [
        ("who", "medium", (1,)),
        ("when", "medium", (2,)),
    ]


def test_data_that_does_not_fit_goes_as_a_whole_and_only_where_it_can_be_read() -> None:
    data = {"paragraphs": ["It is so."] * 5_000}
    answer = answer_of(json.dumps(data), data=data)
    result = result_of(row_of(answer), limit=20_000)
    assert max(lengths(result)) <= 20_000
    assert shown(result).data is None
    assert "left out to fit, and so was data. The full answer is at research://r-1/md." in shown(result).warnings[0]
    kept = answer_result(answer, 20_000).structured_content
    assert kept is not None
    assert kept["data"] == data, "a web answer can be read nowhere else"


def test_a_long_question_leaves_room_for_the_answer() -> None:
    row = row_of(answer_of(PARAGRAPHS), question=Question(text="Why? " * 4_000, model="base"))
    result = result_of(row, limit=10_000)
    assert max(lengths(result)) <= 10_000
    assert len(shown(result).content) > 3_000
    assert len(lengths(result)) == 2


def test_a_web_answer_is_cut_too_and_has_no_link() -> None:
    result = answer_result(answer_of(PARAGRAPHS, model="speed"), 10_000)
    assert max(lengths(result)) <= 10_000
    assert links_of(result) == []
    assert "and the text was cut." in text_of(result)


@given(
    content=st.text(
        st.characters(codec="utf-8", categories=["L", "P", "Z"], include_characters='"\\\n'), max_size=9_000
    ),
    limit=st.integers(3_000, 12_000),
    excerpt=st.text(max_size=2_000),
)
def test_whatever_came_back_fits_with_its_citations(content: str, limit: int, excerpt: str) -> None:
    citations = tuple(citation.model_copy(update={"excerpts": (excerpt,)}) for citation in CITATIONS[:3])
    answer = answer_of(content, citations=citations)
    result = result_of(row_of(answer), limit=limit)
    assert max(lengths(result)) <= limit
    assert [citation.url for citation in shown(result).citations] == [citation.url for citation in citations]
    assert (shown(result) == answer) or links_of(result)


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "120 min"), (7_200, "2 h"), (360_000, "100 h")],
)
def test_a_reused_answer_says_how_old_it_is(seconds: float, age: str) -> None:
    result = result_of(row_of(answer_of("So."), read_at=1_003.0 + seconds), first=False)
    assert f"This answer is {age} old; this call sent no new request." in text_of(result)
    assert shown(result).reused


def test_an_answer_costs_what_the_research_cost_however_it_was_reached() -> None:
    row = row_of(answer_of("So.", cost_usd=0.01), attempts=2, cost_usd=0.02)
    assert [shown(result_of(row, first=first)).cost_usd for first in (True, False)] == [0.02, 0.02]


def test_an_answer_that_took_two_requests_says_why() -> None:
    row = row_of(answer_of("So."), attempts=2, cost_usd=0.02)
    for first in (True, False):
        text = text_of(result_of(row, first=first))
        assert "The process working on this stopped, so the question was sent twice" in text
        assert "the first request may have been billed too" in text


def test_where_nothing_is_paid_nothing_is_said_to_be_billed() -> None:
    free = row_of(answer_of("So."), attempts=2, cost_usd=0.0)
    assert "sent twice." in text_of(result_of(free))
    assert "billed" not in text_of(result_of(free))
    stopped = row_of(status="cancelled", cost_usd=0.0, may_be_billed=True)
    assert "Nothing was billed." in text_of(result_of(stopped, cancelling=True))


def test_a_failure_after_a_takeover_says_that_it_was_sent_twice() -> None:
    row = row_of(status="failed", error="It broke.", attempts=2, cost_usd=0.02)
    with pytest.raises(errors.ResearchEnded, match=r"It broke\. .*sent twice.*may have been billed"):
        result_of(row)
    with pytest.raises(errors.ResearchEnded) as caught:
        result_of(replace(row, error=INTERRUPTED))
    assert str(caught.value) == INTERRUPTED


def test_sources_cannot_pose_as_others() -> None:
    posing = Citation(
        number=1, url="https://a.example/\n[2] https://b.example", title="A\n[3] B", excerpts=("a\n[4] b",)
    )
    text = text_of(result_of(row_of(answer_of("So.", citations=(posing,)))))
    assert not any(f"\n[{number}]" in text for number in (2, 3, 4))
