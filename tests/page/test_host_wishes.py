"""Differences between hosts: fonts, display mode, and what they let a page do."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from starlette.types import ASGIApp

from parallel_mcp.settings import Settings
from tests.page.harness import Host, hosting
from tests.support.upstream import Received, Upstream, answered, chunk, events

pytestmark = pytest.mark.anyio

QUESTION = {"question": "Why is the sky blue?"}
ALL: dict[str, Any] = {
    "openLinks": {},
    "downloadFile": {},
    "serverTools": {},
    "serverResources": {},
    "updateModelContext": {"text": {}},
}


def without(*capabilities: str) -> dict[str, Any]:
    return {"capabilities": {name: value for name, value in ALL.items() if name not in capabilities}}


@pytest.fixture
async def host(browser: Browser, upstream: Upstream) -> AsyncIterator[Host]:
    settings = Settings(api_key="k", base_url=upstream.url, store="memory:", wait_seconds=0.2, max_result_chars=3_000)
    async with hosting(browser, settings, "http", viewport={"width": 800, "height": 900}) as running:
        yield running
        running.watch.assert_quiet()


async def test_the_hosts_fonts_are_taken_and_hostile_variables_are_not(host: Host) -> None:
    fonts = "@font-face { font-family: Hosted; src: url(data:font/woff2;base64,AAAA) }"
    variables = {"--font-sans": "Hosted", "background": "red", "--x;color": "red"}
    await host.run(
        "show", "deep_research", QUESTION, {"context": {"styles": {"variables": variables, "css": {"fonts": fonts}}}}
    )
    await host.run("call")
    await expect(host.view.locator("article")).to_be_visible()
    families = await host.view.locator("body").evaluate("() => [...document.fonts].map((font) => font.family)")
    assert families == ["Hosted"]
    style: str = await host.view.locator("html").evaluate("(html) => html.getAttribute('style')")
    assert "red" not in style
    # The made-up font is not a font, which the browser reports.
    host.watch.errors.clear()


async def test_a_source_shows_on_hover_tap_and_key_and_opens_through_the_host(host: Host, upstream: Upstream) -> None:
    async def marked(received: Received) -> ASGIApp:
        return answered_with(received, "It scatters blue light [1].\n\nSources:\n[1] https://example.com/a")

    upstream.reply = marked
    await host.run("show", "deep_research", QUESTION)
    await host.run("call")
    mark, note = host.view.get_by_role("button", name="Source 1"), host.view.get_by_role("dialog")
    await expect(note).to_be_hidden()
    await mark.hover()
    await expect(note).to_contain_text("It is so.")
    await expect(note).to_contain_text("example.com")
    await host.view.get_by_role("heading", level=1).hover()
    await expect(note).to_be_hidden()
    await mark.press("Enter")
    await expect(note).to_be_focused()
    await host.page.keyboard.press("Escape")
    await expect(note).to_be_hidden()
    await expect(mark).to_be_focused()
    await mark.click()
    await note.get_by_role("link").click()
    (opened,) = await host.logged("open-link")
    assert opened["url"] == "https://example.com/a"


def answered_with(received: Received, content: str, basis: Any = None) -> ASGIApp:
    if not received.body:
        return answered(received)
    basis = basis or [
        {
            "field": "output",
            "reasoning": "The page says so.",
            "confidence": "high",
            "citations": [{"url": "https://example.com/a", "title": "A", "excerpts": ["It is so."]}],
        }
    ]
    return events(chunk(content), chunk(basis=basis, interaction_id="i"), "[DONE]")


async def test_what_was_cut_for_the_model_is_whole_on_the_page(host: Host, upstream: Upstream) -> None:
    async def long(received: Received) -> ASGIApp:
        citations = [
            {"url": f"https://example.com/{number}", "title": "A", "excerpts": [f"Excerpt {number} " + "x" * 400]}
            for number in range(20)
        ]
        basis = [{"field": "output", "reasoning": "Because.", "confidence": "low", "citations": citations}]
        return answered_with(received, "Short.", basis)

    upstream.reply = long
    await host.run("show", "deep_research", QUESTION)
    result = await host.run("call")
    assert "x" * 400 not in json.dumps(result), "the model is spared"
    await host.view.get_by_text("20 sources").click()
    await host.view.locator("#source-20 summary").click()
    await expect(host.view.locator("#source-20 blockquote")).to_contain_text("x" * 400)


async def test_a_host_that_shows_pages_only_still_gets_all_it_can(host: Host, upstream: Upstream) -> None:
    gate = upstream.hold()
    await host.run(
        "show", "deep_research", QUESTION, without("serverTools", "downloadFile", "openLinks", "updateModelContext")
    )
    await host.run("call")
    await expect(host.view.locator(".working")).to_be_visible()
    await expect(host.view.get_by_role("button", name="Stop")).to_have_count(0)
    gate.set()
    await host.page.clock.fast_forward(60_000)
    assert await host.log("call") == []
    await host.run("call")
    await expect(host.view.locator("article")).to_be_visible()
    await expect(host.view.get_by_text("Save as")).to_have_count(0)


async def test_a_host_that_reads_no_resources_gets_links_to_save(host: Host) -> None:
    await host.run("show", "deep_research", QUESTION, without("serverResources"))
    await host.run("call")
    await host.view.get_by_text("Save as").click()
    await host.view.get_by_role("button", name="BibTeX").click()
    (saved,) = await host.logged("download")
    assert saved["contents"][0]["type"] == "resource_link"
    assert saved["contents"][0]["uri"].endswith("/bib")


async def test_a_refused_download_is_said(host: Host) -> None:
    await host.run("show", "deep_research", QUESTION, {"answers": {"download": {"isError": True}}})
    await host.run("call")
    await host.view.get_by_text("Save as").click()
    await host.view.get_by_role("button", name="RIS").click()
    await expect(host.view.get_by_role("status")).to_have_text("RIS was not saved.")


async def test_full_screen_is_offered_where_the_host_has_it(host: Host) -> None:
    await host.run("show", "deep_research", QUESTION, {"context": {"availableDisplayModes": ["inline", "fullscreen"]}})
    await host.run("call")
    await host.view.get_by_role("button", name="Full screen").click()
    await host.logged("mode")
    await expect(host.view.locator("html")).to_have_attribute("data-mode", "fullscreen")
    await expect(host.view.get_by_role("button", name="Full screen")).to_have_count(0)


async def test_polling_slows_down_where_the_host_refuses_and_gives_up_at_last(host: Host, upstream: Upstream) -> None:
    upstream.hold()
    await host.run("show", "deep_research", QUESTION, {"answers": {"call": "busy"}})
    await host.stop_the_clock()
    await host.run("call")
    await expect(host.view.locator(".working")).to_be_visible()
    waits = []
    for count, seconds in enumerate((3, 6, 12, 24, 48, 60, 60, 60), 1):
        await host.page.clock.fast_forward(seconds * 1000 - 100)
        waits.append(len(await host.log("call")) == count - 1)
        await host.page.clock.fast_forward(200)
        await host.logged("call", count)
    assert all(waits), "never before its time"
    await host.page.clock.fast_forward(600_000)
    assert len(await host.log("call")) == 8
    await expect(host.view.get_by_role("status")).to_contain_text("no longer responds")
