"""The evaluation passes with the texts as they are, and fails if a text no longer says what a model needs."""

from dataclasses import replace
from typing import get_args

import pytest

from evals import suite
from evals.__main__ import scripted
from evals.endpoint import Conversation, Said, ToolSpec, Turn
from evals.reader import Reader
from evals.suite import Case, Channel

CASES = {case.name: case for case in suite.cases()}


@pytest.mark.parametrize("channel", get_args(Channel))
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_reader_that_takes_every_text_at_its_word_gets_along(case: Case, channel: Channel) -> None:
    claims = suite.judged(case, await scripted(case, channel))
    assert not [claim for claim, holds in claims.items() if not holds]


TOOLS = (
    ToolSpec("web_answer", "Answers from the web in seconds.", {"properties": {}}),
    ToolSpec(
        "deep_research",
        "Several sources, with confidence. While its status is working, call it again with research_id.",
        {"properties": {"research_id": {}}},
    ),
)
WORKING = "Still working. Call deep_research again with research_id='run-12345' to go on."


def _next(result: str | None, tools: tuple[ToolSpec, ...] = TOOLS, request: str = "With confidence: why?") -> Turn:
    said = (Said("user", request), *((Said("result", result),) if result is not None else ()))
    return Reader()(Conversation("", tools, said))


def test_the_reader_picks_by_the_descriptions_alone() -> None:
    assert _next(None).tool == "deep_research"
    swapped = (replace(TOOLS[0], description=TOOLS[1].description), replace(TOOLS[1], description=""))
    assert _next(None, swapped).tool == "web_answer"


def test_the_reader_goes_on_only_where_a_text_says_so() -> None:
    by_id = Turn(tool="deep_research", arguments={"research_id": "run-12345"})
    structure = '{"research_id": "run-12345", "status": "working"}'
    assert _next(WORKING) == by_id
    assert _next(structure) == by_id
    assert not _next(WORKING.partition("Call")[0]).tool
    assert not _next(structure, (TOOLS[0], replace(TOOLS[1], description="Several sources."))).tool


@pytest.mark.parametrize(
    "result", ["It is so. [1]\n\nSources:\n[1] A page - https://example.com/a", "It is so, says https://example.com/a."]
)
def test_the_reader_quotes_only_numbered_sources(result: str) -> None:
    quoted = "[1] https://example.com/a" in _next(result).text
    assert quoted == ("Sources:" in result)


async def test_the_judge_sees_what_a_model_does_wrong() -> None:
    case = CASES["thorough"]
    (done,) = await scripted(case, "text")
    silent = replace(done, words="It is so.")
    hasty = replace(done, calls=done.calls[:1])
    asked_twice = replace(done, calls=[done.calls[0], replace(done.calls[0], result=done.calls[1].result)])
    for wrong, claim in [(silent, "quotes"), (hasty, "continues"), (asked_twice, "continues")]:
        failed = [name for name, holds in suite.judged(case, [wrong]).items() if not holds]
        assert any(claim in name for name in failed)
