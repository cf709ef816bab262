"""The page's parts on their own, in the browser, from the same sources."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.page.harness import PAGE, bundled

pytestmark = pytest.mark.anyio

PARTS = ("text", "marks", "markdown", "model", "results", "follow")


@pytest.fixture(scope="module")
async def parts(browser: Browser) -> AsyncIterator[Page]:
    page = await browser.new_page()
    for part in PARTS:
        script = bundled(PAGE / "src" / f"{part}.ts", "--format=iife", f"--global-name={part}Part")
        await page.evaluate(f"() => {{ {script}; window.{part} = {part}Part; }}")
    yield page
    await page.close()


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("text.clean('a\\u202eb\\u2066c\\u0000d\\u{e0041}e')", "abcde"),
        ("text.clean('one\\r\\ntwo\\rthree\\tfour')", "one\ntwo\nthree\tfour"),
        ("text.clean('e' + '\\u0301'.repeat(50)).length", 5),
        ("text.clean('\\u0646\\u0645\\u06cc\\u200c\\u062e\\u0648\\u0627\\u0647\\u0645').includes('\\u200c')", True),
        ("text.line('  a \\n b\\t c ')", "a b c"),
        ("text.line('x'.repeat(1e6), 10)", "xxxxxxxxx…"),
        ("text.safeUrl('https://example.com/a')?.href", "https://example.com/a"),
        ("text.safeUrl('http://example.com')?.href", "http://example.com/"),
        ("text.safeUrl('javascript:alert(1)')", None),
        ("text.safeUrl('data:text/html,x')", None),
        ("text.safeUrl('java\\tscript:alert(1)')", None),
        ("text.safeUrl('//example.com')", None),
        ("text.safeUrl('/a')", None),
        ("text.safeUrl('https://' + 'a'.repeat(5000))", None),
        ("text.domain(new URL('https://www.example.com:8080/x'))", "example.com"),
        ("text.humanised('executive_summary')", "Executive summary"),
        ("text.humanised('netIncome2024')", "Net Income2024"),
        ("text.humanised('')", "(no name)"),
        ("text.pathWords('founders.0.full_name')", "Founders › 1 › Full name"),
        ("text.duration(4.25)", "4.3 s"),
        ("text.duration(72)", "72 s"),
        ("text.duration(180)", "3 min"),
        ("text.duration(190.4)", "3 min 10 s"),
        ("text.plural(1, 'source')", "1 source"),
        ("text.plural(0, 'source')", "0 sources"),
    ],
)
async def test_text(parts: Page, call: str, value: Any) -> None:
    assert await parts.evaluate(call) == value


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("so [1].", "so\u202f<1.>"),
        ("so [1, 2][3]", "so\u202f<1><2><3>"),
        ("so [^2]", "so\u202f<2>"),
        ("so [1-3] and [2\u20133]", "so\u202f<1><2><3> and\u202f<2><3>"),
        ("so [4]", "so [4]"),
        ("so [1, 4]", "so [1, 4]"),
        ("so [3-1]", "so [3-1]"),
        ("a[1]b", "a<1>b"),
        ("a [1], [2] b", "a\u202f<1,>\u202f<2> b"),
        ("[x] [ ] [1", "[x] [ ] [1"),
    ],
)
async def test_only_marks_whose_every_number_is_a_source_become_buttons(parts: Page, said: str, shown: str) -> None:
    script = """(said) => marks.withMarks(said, new Set([1, 2, 3]))
      .map((node) => node instanceof Text ? node.data : `<${node.textContent}>`).join("")"""
    assert await parts.evaluate(script, said) == shown


@pytest.mark.parametrize(
    ("run_on", "apart"),
    [
        ("# A ## B text", "# A\n## B text"),
        ("a # b", "a # b"),
        ("```\na ## b\n```", "```\na ## b\n```"),
        ("words | a | b |\n|---|---|\n| 1 | 2 |", "words\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
        ("| a | b |\n|---|---|\n| 1 | 2 | words ## C", "| a | b |\n|---|---|\n| 1 | 2 |\n\nwords\n## C"),
        (
            "| a | b |\n|---|---|\n| 1 | 2 | words | c | d |\n|---|---|\n| 3 | 4 |",
            "| a | b |\n|---|---|\n| 1 | 2 |\n\nwords\n\n| c | d |\n|---|---|\n| 3 | 4 |",
        ),
        ("a | b\n---|---\n1 | 2\n\nafter", "a | b\n---|---\n1 | 2\n\nafter"),
        ("| a \\| b | c |\n|---|---|\n| 1 \\| 2 | 3 |", "| a \\| b | c |\n|---|---|\n| 1 \\| 2 | 3 |"),
        ("one\n\ntwo", "one\n\ntwo"),
    ],
)
async def test_what_ran_together_is_parted_and_no_word_is_lost(parts: Page, run_on: str, apart: str) -> None:
    assert await parts.evaluate("(text) => markdown.separated(text)", run_on) == apart


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        ("# A\n### B\n##### C\n## D", "H2 H3 H4 H3"),
        ("### A\n# B\n## C", "H2 H2 H3"),
        ("####### no heading", "P"),
        ("- a\n- b", "UL LI LI"),
        ("- a\n\n- b", "UL LI P LI P"),
        ("<b>x</b>", "P"),
        ("[x](javascript:1) ![y](https://e.com/p.png)", "P SPAN A"),
        ("# " + "long " * 60, "P"),
    ],
)
async def test_markdown_becomes_these_elements(parts: Page, source: str, tags: str) -> None:
    script = "(source) => [...markdown.markdown(source, new Set()).querySelectorAll('*')].map((one) => one.tagName)"
    assert await parts.evaluate(script, source) == tags.split()


async def test_a_report_is_read_whatever_it_holds(parts: Page) -> None:
    assert (
        await parts.evaluate("model.readReport({ content: 7, citations: [{ number: 1 }] }).answer.citations[0].url")
        == ""
    )
    assert await parts.evaluate("model.readReport({ status: 'working', research_id: 'r' }).researchId") == "r"
    assert (
        await parts.evaluate("[null, 1, [], {}, { status: 'gone' }].map((one) => model.readReport(one))") == [None] * 5
    )


async def test_a_result_says_when_to_ask_again(parts: Page) -> None:
    script = """(meta) => {
      const { pollSeconds, usual } = results.readResult({ _meta: meta }, "");
      return [pollSeconds, usual];
    }"""
    waiting = {"pollSeconds": 3, "usualFrom": 15, "usualTo": 100}
    assert await parts.evaluate(script, {"parallel-mcp/waiting": waiting}) == [3, [15, 100]]
    assert await parts.evaluate(script, {"parallel-mcp/waiting": {"pollSeconds": -1}}) == [5, None]
    assert await parts.evaluate(script, None) == [5, None]


FOLLOW = """async ([answers, stopAfter]) => {
  const result = (status, pollSeconds) =>
    ({ structuredContent: { status, research_id: "r" }, _meta: { "parallel-mcp/waiting": { pollSeconds } } });
  const rests = [], asked = [], stop = new AbortController();
  const host = { request: async (method, params) => {
    asked.push(params.arguments.research_id);
    const answer = answers.shift();
    if (answer === "refused") throw new Error(answer);
    return result(answer, 2);
  } };
  const rest = async (seconds) => { rests.push(seconds); if (rests.length === stopAfter) stop.abort(); };
  const first = results.readResult(result("working", 3), "");
  const last = await follow.follow(host, first, stop.signal, () => undefined, rest);
  return [last?.report?.status ?? null, rests, asked.length];
}"""


@pytest.mark.parametrize(
    ("answers", "stop_after", "outcome"),
    [
        (["completed"], 0, ["completed", [3], 1]),
        (["working", "working", "failed"], 0, ["failed", [3, 2, 2], 3]),
        (["refused", "refused", "working", "completed"], 0, ["completed", [3, 6, 12, 2], 4]),
        (["refused"] * 8, 0, [None, [3, 6, 12, 24, 48, 60, 60, 60], 8]),
        (["working", "completed"], 2, [None, [3, 2], 1]),
    ],
)
async def test_a_run_is_followed_no_oftener_than_asked(
    parts: Page, answers: list[str], stop_after: int, outcome: list[Any]
) -> None:
    assert await parts.evaluate(FOLLOW, [answers, stop_after]) == outcome
