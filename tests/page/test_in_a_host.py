"""The page in a host of MCP Apps, with the official app bridge, the real server and Debian's Chromium."""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from parallel_mcp.settings import Settings
from tests.page.harness import Host, hosting
from tests.support.upstream import Upstream

pytestmark = pytest.mark.anyio

QUESTION = {"question": "Why is the sky blue?"}


@pytest.fixture(params=["http", "stdio"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def settings(upstream: Upstream, **more: Any) -> Settings:
    return Settings(**{"api_key": "k", "base_url": upstream.url, "store": "memory:", **more})


@pytest.fixture
async def host(browser: Browser, upstream: Upstream, transport: str) -> AsyncIterator[Host]:
    async with hosting(browser, settings(upstream, wait_seconds=0.2), transport) as running:
        yield running
        running.watch.assert_quiet()


async def test_an_answer_is_shown_with_its_sources(host: Host) -> None:
    await host.run("show", "deep_research", QUESTION)
    await expect(host.view.get_by_role("heading", level=1)).to_have_text("Why is the sky blue?")
    await host.run("call")
    await expect(host.view.locator("article")).to_contain_text("An answer to: Why is the sky blue?")
    await expect(host.view.locator(".facts")).to_contain_text("Model")
    await expect(host.view.locator(".glance")).to_contain_text("high")
    await expect(host.view.locator("#source-1")).to_contain_text("example.com")


async def test_a_web_answer_is_shown_too(host: Host) -> None:
    await host.run("show", "web_answer", QUESTION)
    await host.run("call")
    await expect(host.view.locator("article")).to_contain_text("An answer to: Why is the sky blue?")
    await expect(host.view.get_by_role("heading", level=1)).to_have_text("Why is the sky blue?")


async def test_a_run_that_works_goes_on_by_itself_and_the_model_is_told(host: Host, upstream: Upstream) -> None:
    gate = upstream.hold()
    await host.run("show", "deep_research", QUESTION)
    await host.stop_the_clock()
    await host.run("call")
    await expect(host.view.locator(".working")).to_contain_text("Researching with base")
    await expect(host.view.locator(".working")).to_contain_text("Usually takes 15 to 100 s")
    await host.page.clock.fast_forward(2_900)
    assert await host.log("call") == [], "not before the time that the tool asked for"
    await host.page.clock.fast_forward(100)
    (first,) = await host.logged("call")
    assert first["name"] == "deep_research"
    assert set(first["arguments"]) == {"research_id"}
    gate.set()
    await host.logged("called")
    await host.page.clock.fast_forward(3_000)
    await expect(host.view.locator("article")).to_contain_text("An answer to: Why is the sky blue?")
    (told,) = await host.logged("context")
    assert "An answer to: Why is the sky blue?" in told["content"][0]["text"]
    assert "https://example.com/a" in told["content"][0]["text"]
    assert await host.log("message") == [], "nothing is said in the reader's name"
    assert len(upstream.received) == 1, "nothing is paid twice"
    asked = len(await host.log("call"))
    await host.page.clock.fast_forward(60_000)
    assert len(await host.log("call")) == asked, "what is over is not asked for again"


async def test_a_run_is_stopped_from_the_page(host: Host, upstream: Upstream) -> None:
    upstream.hold()
    await host.run("show", "deep_research", QUESTION)
    await host.run("call")
    await host.view.get_by_role("button", name="Stop").click()
    await upstream.until(lambda upstream: upstream.closed == 1)
    await expect(host.view.locator(".facts")).to_contain_text("cancelled")
    (told,) = await host.logged("context")
    assert "was stopped" in told["content"][0]["text"]


async def test_an_error_is_shown_in_the_tools_words(host: Host) -> None:
    await host.run("show", "deep_research", {"question": "Why?", "fast": True})
    result = await host.run("call")
    assert result["isError"]
    await expect(host.view.get_by_role("alert")).to_contain_text("fast is unknown")


async def test_a_call_that_the_host_gave_up_on_can_be_gone_on_with(host: Host, upstream: Upstream) -> None:
    gate = upstream.hold()
    await host.run("show", "deep_research", QUESTION)
    await host.run("call")
    await host.run("cancel", "timeout")
    await expect(host.view.get_by_role("alert")).to_contain_text("The call was stopped (timeout).")
    gate.set()
    await host.view.get_by_role("button", name="Keep waiting").click()
    await host.logged("called")
    await host.page.clock.fast_forward(3_000)
    await expect(host.view.locator("article")).to_contain_text("An answer to:")
    assert len(upstream.received) == 1


async def test_a_teardown_stops_the_polling(host: Host, upstream: Upstream) -> None:
    upstream.hold()
    await host.run("show", "deep_research", QUESTION)
    await host.run("call")
    await expect(host.view.get_by_role("button", name="Stop")).to_be_visible()
    assert await host.run("teardown") == {}
    await host.page.clock.fast_forward(120_000)
    assert await host.log("call") == []


async def colour(host: Host, name: str) -> str:
    script = "(element, name) => getComputedStyle(element)[name]"
    found: str = await host.view.locator("body").evaluate(script, name)
    return found


async def test_the_page_wears_the_hosts_theme_variables_and_changes_with_them(host: Host) -> None:
    look = {
        "theme": "dark",
        "styles": {"variables": {"--color-background-primary": "rgb(1, 2, 3)", "--font-sans": "Courier"}},
    }
    await host.run("show", "deep_research", QUESTION, {"context": look})
    await host.run("call")
    await expect(host.view.locator("article")).to_be_visible()
    assert await colour(host, "backgroundColor") == "rgb(1, 2, 3)"
    assert await colour(host, "fontFamily") == "Courier"
    dark = await colour(host, "color")
    await host.run(
        "change", {"theme": "light", "styles": {"variables": {"--color-background-primary": "rgb(4, 5, 6)"}}}
    )
    await expect(host.view.locator("body")).to_have_css("background-color", "rgb(4, 5, 6)")
    assert await colour(host, "color") != dark


async def test_the_host_is_told_the_size_when_it_changes_and_only_then(host: Host) -> None:
    await host.run("show", "deep_research", QUESTION)
    await host.run("call")
    await expect(host.view.locator("article")).to_be_visible()
    before = await host.logged("size")
    await host.page.set_viewport_size({"width": 340, "height": 900})
    script = "(count) => host.log.filter((entry) => entry.kind === 'size').length > count"
    await host.page.wait_for_function(script, arg=len(before))
    sizes = await host.log("size")
    assert sizes[-1]["width"] <= 340
    assert sizes[-1]["height"] > before[-1]["height"], "narrower is longer"
    pairs = [(size["width"], size["height"]) for size in sizes]
    assert all(one != other for one, other in pairwise(pairs))
    height: int = await host.page.locator("#view").evaluate("(frame) => frame.clientHeight")
    inner: int = await host.view.locator("#page").evaluate("(page) => page.scrollHeight")
    assert abs(height - inner) <= 1, "all of the page is seen, without a scroll bar"


async def test_every_format_is_saved_by_the_host(host: Host) -> None:
    await host.run("show", "deep_research", QUESTION)
    await host.run("call")
    for label in ("Markdown", "Web page", "BibTeX", "RIS", "CSL-JSON", "JSON"):
        await host.view.get_by_text("Save as").click()
        await host.view.get_by_role("button", name=label, exact=True).click()
        await expect(host.view.get_by_role("status")).to_have_text(f"{label} saved.")
    saved = [entry["contents"][0]["resource"] for entry in await host.log("download")]
    assert [one["uri"].rsplit(".", 1)[1] for one in saved] == ["md", "html", "bib", "ris", "csl", "json"]
    assert all("https://example.com/a" in one["text"] for one in saved)
