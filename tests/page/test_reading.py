"""Reading the page: by eye, keyboard and screen reader, at every width, on paper, in every script."""

import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from parallel_mcp.models import Answer, Basis, Citation, Confidence, Research
from parallel_mcp.report.html import page as file_of
from parallel_mcp.settings import Settings
from tests.page.harness import HERE, Watch, hosting
from tests.report.samples import answer, research
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

RECORDED = HERE.parent.parent.parent / "shared" / "wire"

TABLE = """# Tides

The **moon** pulls [1], and the sun, too [1, 2].

| Body | Pull |
|:-----|-----:|
| Moon | 1.00 |
| Sun  | 0.46 |

1. First
   - nested `code`

> A quote with a [link](https://example.com/x).

```python
print("tides")
```
"""

DATA = {
    "summary": "The moon makes the tides, as **bulges** [1].",
    "heights": [
        {"place": "Bay of Fundy", "metres": 16.3, "open_sea": False},
        {"place": "Mont-Saint-Michel", "metres": 14.15, "open_sea": None},
    ],
    "causes": ["moon", "sun"],
    "history": {"first_explained_by": "Newton", "year": 1687, "source": "https://example.com/newton"},
    "unknown": None,
}


def structured() -> Answer:
    fields = ("summary", "heights", "heights.0", "heights.1", "heights.1.metres", "causes", "history", "history.year")
    levels: tuple[Confidence, ...] = ("high", "medium", "low")
    basis = tuple(
        Basis(field=field, reasoning=f"Because of {field}.", confidence=levels[place % 3], citations=(1, 2))
        for place, field in enumerate(fields)
    )
    return answer(data=DATA, content=json.dumps(DATA), basis=basis)


def of_many(count: int) -> Research:
    """A research run with this many sources, each cited once in its own paragraph."""
    citations = tuple(
        Citation(
            number=number, url=f"https://example.com/{number}", title=f"Source {number}", excerpts=("An excerpt.",) * 3
        )
        for number in range(1, count + 1)
    )
    content = "\n\n".join(f"Statement {number} of many [{number}]." for number in range(1, count + 1))
    return research(answer=answer(content=content, citations=citations))


def recorded(name: str) -> Research:
    """A recorded answer of Parallel as a research run, with the sources in order."""
    body = json.loads((RECORDED / name).read_text("utf-8"))
    content: str = body["choices"][0]["message"]["content"]
    citations: dict[str, Citation] = {}
    basis: list[Basis] = []
    for entry in body["basis"]:
        for found in entry["citations"]:
            citations.setdefault(
                found["url"],
                Citation(
                    number=len(citations) + 1,
                    url=found["url"],
                    title=found["title"],
                    excerpts=tuple(found["excerpts"] or ()),
                ),
            )
        numbers = tuple(citations[found["url"]].number for found in entry["citations"])
        basis.append(
            Basis(
                field=entry["field"],
                reasoning=entry["reasoning"],
                confidence=entry["confidence"] or None,
                citations=numbers,
            )
        )
    data = json.loads(content) if content.startswith("{") else None
    return research(answer=answer(content=content, data=data, citations=tuple(citations.values()), basis=tuple(basis)))


SAMPLES: dict[str, Callable[[], Research]] = {
    "text": lambda: research(answer=answer(content=TABLE)),
    "structured": lambda: research(answer=structured()),
    "failed": lambda: research(answer=None, status="failed", error="Parallel refused: no credit is left."),
    "bare": lambda: research(answer=answer(citations=(), basis=(), warnings=("No sources were named.",))),
}
if RECORDED.is_dir():
    SAMPLES |= {name: (lambda name=name: recorded(name)) for name in ("recorded_text.json", "recorded_schema.json")}  # type: ignore[misc]

Show = Callable[..., Any]


@pytest.fixture
async def show(browser: Browser, tmp_path: Path) -> AsyncIterator[Show]:
    """Opens a research run as a file. Whatever is done with it, it requests nothing."""
    opened: list[tuple[Page, Watch]] = []

    async def showing(run: Research, **context: Any) -> Page:
        file = tmp_path / f"{len(opened)}.html"
        file.write_text(file_of(run), "utf-8")
        page = await (await browser.new_context(**context)).new_page()
        watch = Watch(("file://",))
        watch.on(page)
        opened.append((page, watch))
        await page.goto(file.as_uri())
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        return page

    yield showing
    for page, watch in opened:
        watch.assert_quiet()
        await page.context.close()


async def violations(page: Page) -> list[str]:
    """What axe finds with everything unfolded, including contrast and landmarks."""
    await page.evaluate("() => document.querySelectorAll('details').forEach((details) => (details.open = true))")
    await page.evaluate((HERE / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8"))
    found = await page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}" for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sample", SAMPLES)
async def test_axe_finds_nothing(show: Show, sample: str, scheme: str) -> None:
    page = await show(SAMPLES[sample](), color_scheme=scheme)
    assert await violations(page) == []
    mark = page.locator("[aria-haspopup=dialog]").first
    if await mark.count():
        await mark.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert await violations(page) == []


async def test_axe_finds_nothing_in_a_host_while_a_run_works(browser: Browser, upstream: Upstream) -> None:
    upstream.hold()
    settings = Settings(api_key="k", base_url=upstream.url, store="memory:", wait_seconds=0.1)
    async with hosting(browser, settings, "http") as host:
        await host.run("show", "deep_research", {"question": "Why?"})
        await host.run("call")
        await expect(host.view.get_by_role("button", name="Stop")).to_be_visible()
        (frame,) = [frame for frame in host.page.frames if frame.url == "about:srcdoc"]
        await frame.evaluate((HERE / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8"))
        found = await frame.evaluate("async () => (await axe.run()).violations.map((one) => one.id)")
        assert found == []


@pytest.mark.parametrize("width", [320, 480, 768, 1280, 2560])
@pytest.mark.parametrize("sample", SAMPLES)
async def test_the_page_fits_every_width(show: Show, sample: str, width: int) -> None:
    page = await show(SAMPLES[sample](), viewport={"width": width, "height": 800})
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= width
    marks = page.locator("[aria-haspopup=dialog]")
    for place in sorted({0, await marks.count() - 1}) if await marks.count() else ():
        await marks.nth(place).click()
        box = await page.get_by_role("dialog").bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        await page.keyboard.press("Escape")
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= width


async def test_markdown_becomes_what_it_means(show: Show) -> None:
    page = await show(SAMPLES["text"]())
    await expect(page.locator("article h2")).to_have_text("Tides")
    await expect(page.locator("article td")).to_have_text(["Moon", "1.00", "Sun", "0.46"])
    await expect(page.locator("article ol > li ul > li code")).to_have_text("code")
    await expect(page.locator("article pre")).to_have_text('print("tides")')
    await expect(page.locator("article .mark")).to_have_text(["1", "1", "2"])
    await expect(page.locator("article blockquote a")).to_have_attribute("href", "https://example.com/x")


async def test_a_structured_answer_is_fields_and_tables_with_their_basis(show: Show) -> None:
    page = await show(SAMPLES["structured"]())
    await expect(page.locator(".field > h2")).to_have_text(["Summary", "Heights", "Causes", "History", "Unknown"])
    await expect(page.locator("thead th")).to_have_text(["Place", "Metres", "Open sea", "Basis"])
    await expect(page.locator("tbody tr").first.locator("td").nth(1)).to_contain_text("16.3")
    await expect(page.locator(".field").last).to_contain_text("not found")
    await expect(page.locator(".glance")).to_contain_text("3 high")
    await expect(page.locator(".glance")).to_contain_text("Least sure: Heights › 1")
    await page.get_by_role("button", name="Why: History › Year").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Because of history.year.")
    await expect(page.get_by_text("Because of summary.")).to_have_count(0)
    await page.get_by_text("Reasoning by field (8)").click()
    await expect(page.get_by_text("Because of summary.")).to_be_visible()


async def test_an_answer_without_marks_still_leads_to_its_sources(show: Show) -> None:
    page = await show(research(answer=answer(content="Tides follow the moon.")))
    await expect(page.locator(".rests .mark")).to_have_text(["1", "2"])
    await page.locator(".rests .mark").first.click()
    await expect(page.get_by_role("dialog")).to_contain_text("The moon raises two bulges.")
    marked = await show(research())
    await expect(marked.locator(".rests")).to_have_count(0)


async def test_the_keyboard_reaches_everything(show: Show) -> None:
    page = await show(SAMPLES["text"]())
    every = "[...document.querySelectorAll('a, button, summary, [tabindex=\"0\"]')]"
    wanted = await page.evaluate(f"() => {every}.filter((one) => one.checkVisibility()).length")
    reached = set()
    for _ in range(wanted):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("() => [...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        outline = await page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", "what has the focus shows it"
    assert len(reached) == wanted


async def test_text_runs_from_right_to_left_where_it_is_written_so(show: Show) -> None:
    moon, sun = "\u0627\u0644\u0642\u0645\u0631 \u064a\u0633\u0628\u0628", "\u0627\u0644\u0634\u0645\u0633"
    content = f"{moon} [1].\n\n- {sun}\n\nAnd English again."
    page = await show(research(question="\u05de\u05d4 \u05d2\u05d5\u05e8\u05dd?", answer=answer(content=content)))
    direction = "(element) => getComputedStyle(element).direction"
    assert await page.get_by_role("heading", level=1).evaluate(direction) == "rtl"
    assert await page.locator("article p").first.evaluate(direction) == "rtl"
    assert await page.locator("article ul").evaluate(direction) == "rtl"
    assert await page.locator("article p").last.evaluate(direction) == "ltr"


async def test_on_paper_everything_is_unfolded_and_nothing_is_a_button(show: Show) -> None:
    page = await show(SAMPLES["structured"]())
    assert await page.locator("details:not([open])").count() > 0
    await page.emulate_media(media="print")
    await page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    assert await page.locator("details:not([open])").count() == 0
    await expect(page.get_by_text("Because of summary.")).to_be_visible()
    await expect(page.get_by_text("The moon raises two bulges.")).to_be_visible()
    await expect(page.get_by_role("button", name="Print")).to_be_hidden()
    written = await page.pdf()
    assert written.startswith(b"%PDF")
    await page.evaluate("() => dispatchEvent(new Event('afterprint'))")
    assert await page.locator("details[open]").count() == 0


async def test_a_thousand_sources_are_made_when_they_are_looked_at(show: Show) -> None:
    """Each source adds only a few elements. Excerpts and notes are created on demand."""
    nodes = "() => document.querySelectorAll('*').length"
    some, many = [await (await show(of_many(count))).evaluate(nodes) for count in (100, 1_000)]
    assert (many - some) / 900 < 15
    page = await show(of_many(1_000))
    await expect(page.locator("blockquote")).to_have_count(0)
    await page.get_by_role("button", name="Source 1000").click()
    await expect(page.get_by_role("dialog")).to_contain_text("Source 1000")
    await expect(page.locator("blockquote")).to_have_count(3)


async def test_words_without_an_end_are_broken(show: Show) -> None:
    long = "Donaudampfschifffahrts" * 40
    run = research(
        question=long, answer=answer(content=f"{long} [1]\n\n| a | b |\n|---|---|\n| {long} | x |", data=None)
    )
    page = await show(run, viewport={"width": 320, "height": 600})
    assert await page.evaluate("() => document.documentElement.scrollWidth") <= 320


async def test_a_file_that_holds_nothing_says_so(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "broken.html"
    file.write_text(file_of(research()).replace('"status"', '"state"', 1), "utf-8")
    page = await browser.new_page()
    await page.goto(file.as_uri())
    await expect(page.get_by_role("alert")).to_contain_text("contains no research run")
    await page.close()


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers are not here")
async def test_no_word_of_a_recorded_answer_is_lost(show: Show) -> None:
    run = recorded("recorded_text.json")
    page = await show(run)
    shown = await page.evaluate("() => document.querySelector('article').textContent")
    assert run.answer is not None

    def words(text: str) -> list[str]:
        return re.findall(r"[A-Za-z]{4,}", re.sub(r"\]\([^)]*\)", "]", text))

    lost = [word for word in words(run.answer.content) if word not in shown]
    assert lost == []
