"""Sample research runs."""

from typing import Any

from parallel_mcp.models import Answer, Basis, Citation, Research


def answer(**more: Any) -> Answer:
    known: dict[str, Any] = {
        "content": "Tides follow the moon [1], and the sun a little [2].",
        "data": None,
        "citations": (
            Citation(
                number=1,
                url="https://www.example.org/tides?a=1&b=2#high_tide",
                title="Tides & the Moon: 50% more",
                excerpts=("The moon raises two bulges.", "One faces it."),
            ),
            Citation(number=2, url="https://example.com/sun", title=None, excerpts=()),
        ),
        "basis": (Basis(field="output", reasoning="Both pages say so.", confidence="high", citations=(1, 2)),),
        "model": "base",
        "interaction_id": "i-1",
        "cost_usd": 0.01,
        "seconds": 42.0,
        "reused": False,
        "warnings": (),
    }
    return Answer(**{**known, **more})


def research(**more: Any) -> Research:
    known: dict[str, Any] = {
        "research_id": "r-0123456789abcdef",
        "status": "completed",
        "question": "What makes the tides?",
        "model": "base",
        "created_at": "2026-11-25T23:59:30+00:00",
        "seconds": 42.0,
        "attempts": 1,
        "answer": answer(),
        "error": None,
    }
    return Research(**{**known, **more})


def citing(*citations: tuple[str, str | None, tuple[str, ...]]) -> Research:
    """A research run with these sources: URL, title and excerpts."""
    numbered = (
        Citation(number=number, url=url, title=title, excerpts=excerpts)
        for number, (url, title, excerpts) in enumerate(citations, 1)
    )
    return research(answer=answer(citations=tuple(numbered)))
