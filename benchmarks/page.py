"""How long the report page takes to show many sources and difficult texts, in Chromium: python -m benchmarks.page

Each size is measured together with half of it, to show the growth, and a thousand sources together with a bare page of
as many elements, to show what the browser itself needs.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.async_api import Browser

from parallel_mcp.models import Citation, Research
from parallel_mcp.report.html import page
from tests.page.harness import browsing, missing
from tests.report.samples import answer, research

TIMES = 5
HARD: dict[str, Callable[[int], str]] = {
    "open brackets": lambda size: "[" * size,
    "stars and underscores": lambda size: "*_" * (size // 2),
    "nested quotes": lambda size: ">" * size + " x",
    "pictures without an end": lambda size: "![[](" * (size // 5),
    "backticks of every length": lambda size: " ".join("`" * length for length in range(int((2 * size) ** 0.5))),
    "a wide table": lambda size: "|a" * (size // 6) + "|\n" + "|-" * (size // 6) + "|\n" + "|b" * (size // 6) + "|",
    "one long word": lambda size: "x" * size,
    "brackets and bars": lambda size: "|[1" * (size // 3),
}

MEASURE = """() => {
  const { domContentLoadedEventEnd: end, responseEnd: begin } = performance.getEntriesByType("navigation")[0];
  return [end - begin, document.querySelectorAll("*").length];
}"""

BARE = """(count) => {
  const begin = performance.now(), list = document.createElement("ol");
  for (let place = 0; place < count; place++) {
    list.append(Object.assign(document.createElement("li"), { textContent: `Item ${place}` }));
  }
  document.body.replaceChildren(list);
  document.body.offsetHeight;
  return performance.now() - begin;
}"""

NOTE = """async () => {
  const mark = [...document.querySelectorAll(".mark")].at(-1), begin = performance.now();
  mark.click();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begin;
}"""


def of_many(count: int) -> Research:
    """A research run with this many sources, each cited in its own paragraph."""
    citations = tuple(
        Citation(
            number=number, url=f"https://example.com/{number}", title=f"Source {number}", excerpts=("An excerpt.",) * 3
        )
        for number in range(1, count + 1)
    )
    content = "\n\n".join(f"Statement {number} of many [{number}]." for number in range(1, count + 1))
    return research(answer=answer(content=content, citations=citations))


async def shown(browser: Browser, run: Research, folder: Path) -> tuple[float, int, float]:
    """Medians: milliseconds until it is shown, elements, and milliseconds from a click on its last mark to the note."""
    file = folder / "page.html"
    file.write_text(page(run), "utf-8")
    opened, noted, elements = [], [], 0
    for _ in range(TIMES):
        tab = await browser.new_page()
        await tab.goto(file.as_uri())
        took, elements = await tab.evaluate(MEASURE)
        opened.append(took)
        if await tab.locator(".mark").count():
            noted.append(await tab.evaluate(NOTE))
        await tab.close()
    return statistics.median(opened), elements, statistics.median(noted) if noted else 0.0


async def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        async with browsing() as browser:
            await measured(browser, Path(name))


async def measured(browser: Browser, folder: Path) -> None:
    """Sources first, then difficult texts."""
    tab = await browser.new_page()
    print(
        "| sources | ms to show | elements | ms, as many bare elements | ms from click to note |\n|---|---|---|---|---|"
    )
    for count in (125, 250, 500, 1_000):
        took, elements, note = await shown(browser, of_many(count), folder)
        bare = statistics.median([await tab.evaluate(BARE, elements) for _ in range(TIMES)])
        print(f"| {count:,} | {took:.0f} | {elements:,} | {bare:.0f} | {note:.0f} |")
    print("\n| hard text | ms at 20,000 characters | 40,000 | 80,000 |\n|---|---|---|---|")
    for name, text in HARD.items():
        times = [(await shown(browser, research(answer=answer(content=text(size))), folder))[0] for size in SIZES]
        print(f"| {name} | {' | '.join(f'{took:.0f}' for took in times)} |")


SIZES = (20_000, 40_000, 80_000)

if __name__ == "__main__":
    lacking = missing()
    if lacking is not None:
        raise SystemExit(f"The benchmark needs: {lacking}")
    asyncio.run(main())
