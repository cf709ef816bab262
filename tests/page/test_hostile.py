"""Hostile content in the real browser: nothing runs, loads or leaves, and only text is shown."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Frame, Page, expect

from parallel_mcp.models import Research
from parallel_mcp.report.html import page as file_of
from parallel_mcp.settings import Settings
from tests.page.attacks import MARKUP, TARGETS, TRICKS, spelled, variants
from tests.page.harness import Host, Watch, hosting

pytestmark = pytest.mark.anyio

BATCH = 100

# The only elements that the page may have, whatever it was given.
INSPECT = """() => {
  const tags = new Set(`MAIN DIV P H1 H2 H3 H4 H5 SPAN BDI A BUTTON DETAILS SUMMARY ARTICLE SECTION HEADER
    FOOTER UL OL LI DL DT DD BLOCKQUOTE PRE CODE TABLE THEAD TBODY TR TH TD STRONG EM S I BR HR`.split(/\\s+/));
  const names = new Set(`class id dir role href target rel title type tabindex hidden open scope start
    aria-label aria-hidden aria-haspopup aria-expanded aria-valuenow data-source data-field
    data-format style`.split(/\\s+/));
  const styled = ".note, .bar i, .track, .track i, #page";
  const wrong = [];
  for (const element of document.querySelectorAll("#page, #page *")) {
    if (!tags.has(element.tagName)) wrong.push(element.tagName);
    for (const { name, value } of element.attributes) {
      if (!names.has(name)) wrong.push(`${element.tagName} ${name}`);
      if (name === "href" && !/^https?:\\/\\/[^/]/.test(value)) wrong.push(`href ${value.slice(0, 80)}`);
      if (name === "target" && value !== "_blank") wrong.push(`target ${value}`);
      if (name === "id" && !/^(page|source-\\d+)$/.test(value)) wrong.push(`id ${value}`);
      if (name === "style" && !element.matches(styled)) wrong.push(`style ${value.slice(0, 80)}`);
    }
    if (element.tagName === "A" && element.rel !== "noopener noreferrer nofollow") wrong.push("rel");
  }
  const { scripts, styleSheets, forms, images, documentElement: root } = document;
  if (scripts.length > 2 || styleSheets.length > 1 || forms.length || images.length) wrong.push("document");
  if (root.scrollWidth > innerWidth) wrong.push(`as wide as ${root.scrollWidth}`);
  return wrong;
}"""

# Open everything, and show the note of every tenth mark, as a reader might.
HANDLE = """async () => {
  for (let shut; (shut = [...document.querySelectorAll("details:not([open])")]).length; ) {
    for (const details of shut) { details.dispatchEvent(new Event("fill")); details.open = true; }
  }
  const marks = [...document.querySelectorAll("[aria-haspopup=dialog]")];
  for (const mark of marks.filter((_, index) => index % 10 === 0).slice(0, 20)) mark.click();
  dispatchEvent(new Event("beforeprint")); dispatchEvent(new Event("afterprint"));
}"""


def carrying(attack: str, target: str = "https://example.com/") -> dict[str, Any]:
    """A research run with an attack in every text."""
    answer = {
        "content": attack,
        "data": None,
        "citations": [
            {"number": 1, "url": target, "title": attack, "excerpts": [attack, attack]},
            {"number": 2, "url": attack, "title": None, "excerpts": []},
        ],
        "basis": [{"field": attack, "reasoning": attack, "confidence": "low", "citations": [1, 2]}],
        "model": "base",
        "interaction_id": attack,
        "cost_usd": 0.01,
        "seconds": 1.0,
        "reused": False,
        "warnings": [attack],
    }
    return {
        "research_id": attack,
        "status": "completed",
        "question": attack,
        "model": "base",
        "created_at": "2026-11-25T12:00:00+00:00",
        "seconds": 1.0,
        "attempts": 1,
        "answer": answer,
        "error": attack,
    }


def structured(attack: str) -> dict[str, Any]:
    """The same with the attack as keys and values of the data."""
    run = carrying(attack)
    run["answer"]["data"] = {
        attack: attack,
        "list": [attack, {attack: attack}],
        "rows": [{"a": attack, attack: 1}, {"a": attack, "constructor": attack}],
        "deep": {attack: {attack: {attack: [attack]}}},
    }
    run["answer"]["basis"] += [
        {"field": field, "reasoning": attack, "confidence": "high", "citations": [1]}
        for field in ("list", "list.0", "rows.0", "rows.1.a", f"deep.{attack}")
    ]
    return run


async def inspect(frame: Frame, watch: Watch, attack: object) -> None:
    await frame.evaluate(HANDLE)
    assert await frame.evaluate(INSPECT) == [], attack
    assert await frame.evaluate("() => window.__ran ?? null") is None, attack
    watch.assert_quiet()


@pytest.fixture
async def opened(browser: Browser) -> AsyncIterator[tuple[Page, Watch]]:
    page = await (await browser.new_context(viewport={"width": 700, "height": 800})).new_page()
    watch = Watch(("file://",))
    watch.on(page)
    await page.add_init_script("window.ran = () => { window.__ran = true; }")
    yield page, watch
    await page.context.close()


@pytest.fixture
async def host(browser: Browser) -> AsyncIterator[Host]:
    settings = Settings(api_key="k", base_url="http://127.0.0.1:9", store="memory:")
    async with hosting(browser, settings, "http", viewport={"width": 700, "height": 800}) as running:
        await running.page.context.add_init_script("window.ran = () => { window.__ran = true; }")
        await running.run("show", "deep_research", {"question": "Why?"})
        yield running


def view_of(host: Host) -> Frame:
    (frame,) = [frame for frame in host.page.frames if frame.url == "about:srcdoc"]
    return frame


async def give(host: Host, run: dict[str, Any]) -> None:
    await host.run("result", {"content": [{"type": "text", "text": "-"}], "structuredContent": run})


@pytest.mark.parametrize("batch", range(0, len(variants()), BATCH))
async def test_attacks_come_to_nothing_in_a_host(host: Host, batch: int) -> None:
    for attack in variants()[batch : batch + BATCH]:
        await give(host, carrying(attack))
        await expect(host.view.locator("footer")).to_be_attached()
        await inspect(view_of(host), host.watch, attack)


@pytest.mark.parametrize("attacks", [MARKUP, TRICKS], ids=["markup", "tricks"])
async def test_attacks_come_to_nothing_in_a_file(
    opened: tuple[Page, Watch], tmp_path: Path, attacks: Sequence[str]
) -> None:
    page, watch = opened
    for number, attack in enumerate(attacks):
        file = tmp_path / f"{number}.html"
        file.write_text(file_of(Research.model_validate(structured(attack))), "utf-8")
        await page.goto(file.as_uri())
        await expect(page.locator("footer")).to_be_attached()
        await inspect(page.main_frame, watch, attack)


async def test_only_web_pages_are_opened_and_by_the_host_alone(host: Host) -> None:
    targets = [spelling for target in TARGETS for spelling in spelled(target)]
    run = carrying("x")
    run["answer"]["content"] = " ".join(
        f"[{number}](<{target}>)" for number, target in enumerate(targets) if "\n" not in target
    )
    run["answer"]["citations"] = [
        {"number": number, "url": target, "title": "t", "excerpts": []} for number, target in enumerate(targets, 1)
    ]
    await give(host, run)
    await view_of(host).evaluate(HANDLE)
    links = await view_of(host).evaluate(
        "() => [...document.querySelectorAll('#page a')].map((a) => (a.click(), a.href))"
    )
    opened = await host.logged("open-link", len(links))
    assert len(links) > len(TARGETS) // 4, "web pages are links"
    assert all(entry["url"].startswith(("https://", "http://")) for entry in opened)
    host.watch.assert_quiet()


async def test_the_domain_shown_is_the_one_that_a_link_leads_to(host: Host) -> None:
    run = carrying("x")
    urls = {
        "https://good.example@attack.example/": "attack.example",
        "https://\u0430pple.com/": "xn--pple-43d.com",
        "https://good.example\uff0eattack.example/": "good.example.attack.example",
        "https://attack.example/?https://good.example": "attack.example",
        "https://www.good.example\\@attack.example/": "good.example",
        "https://0x7f000001/": "127.0.0.1",
    }
    run["answer"]["citations"] = [
        {"number": number, "url": url, "title": "t", "excerpts": []} for number, url in enumerate(urls, 1)
    ]
    await give(host, run)
    shown = await host.view.locator(".domain").all_text_contents()
    assert shown == list(urls.values())
    leads = await view_of(host).evaluate(
        "() => [...document.querySelectorAll('.sources a')].map((a) => a.hostname.replace(/^www\\./, ''))"
    )
    assert leads == shown


async def test_direction_and_invisible_characters_reach_nothing_around_them(host: Host) -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "tell the user")
    await give(host, carrying(f"\u202eevil\u202c {hidden}\u2066 seen"))
    text = await view_of(host).evaluate("() => document.body.textContent")
    assert not set(text) & {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", *hidden}
    assert "evil" in text and "seen" in text


async def test_results_of_the_wrong_shape_break_nothing(host: Host) -> None:
    shapes: list[Any] = [None, 7, [], {}, {"content": 7}, {"status": "completed"}, {"status": "no such"}]
    shapes += [{"status": "completed", "answer": {"content": None, "citations": [None, {"number": "x"}], "basis": [7]}}]
    shapes += [
        {"status": "completed", "question": 7, "created_at": "yesterday", "answer": {"citations": {}, "warnings": 7}}
    ]
    deep: Any = "x"
    for _ in range(200):
        deep = {"a": [deep]}
    shapes += [{"content": "x", "data": deep}, {"content": "x", "data": {"a": list(range(5_000))}}]
    for shape in shapes:
        await host.run("result", {"content": [{"type": "text", "text": "said"}], "structuredContent": shape})
        await expect(host.view.locator("#page")).not_to_be_empty()
        await inspect(view_of(host), host.watch, shape)


async def test_the_policy_stops_what_the_page_itself_would_not(opened: tuple[Page, Watch], tmp_path: Path) -> None:
    """The second line of defence: the browser refuses each of these, which must never get this far."""
    page, watch = opened
    stopped: list[str] = []
    page.on("requestfailed", lambda request: stopped.append(request.url) if request.failure == "csp" else None)
    file = tmp_path / "page.html"
    file.write_text(file_of(Research.model_validate(carrying("x"))), "utf-8")
    await page.goto(file.as_uri())
    refused = await page.evaluate("""async () => {
      const seen = [];
      addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
      const html = () => (document.body.innerHTML = "<b>x</b>");
      const put = (name, set) => document.body.append(Object.assign(document.createElement(name), set));
      put("img", { src: "https://attack.example/i.png" });
      put("link", { rel: "stylesheet", href: "https://attack.example/s.css" });
      put("style", { textContent: "body { background: red }" });
      put("iframe", { src: "https://attack.example/" });
      put("base", { href: "https://attack.example/" });
      // In a task of its own, for a script that a debugger runs may do more.
      const evaluated = () => new Promise((done, failed) =>
        setTimeout(() => { try { done(eval("1")); } catch (error) { failed(error); } }));
      const tried = [() => fetch("https://attack.example/f"), html, evaluated,
        () => Object.assign(document.createElement("script"), { text: "ran()" })];
      for (const act of tried) { try { await act(); seen.push("allowed " + act); } catch { seen.push("thrown"); } }
      await new Promise((done) => setTimeout(done, 200));
      return seen;
    }""")
    assert {"img-src", "style-src-elem", "frame-src", "base-uri", "connect-src"} <= set(refused)
    assert refused.count("thrown") == 4, refused
    assert stopped == watch.requests, "what was asked for never left"
