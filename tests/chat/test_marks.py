"""Every number in an answer refers to the source that its author meant, whatever the form of marks and list."""

import json
from pathlib import Path
from typing import Any

import pytest
from bpe_openai import get_encoding
from hypothesis import given
from hypothesis import strategies as st

from parallel_mcp import chat
from parallel_mcp.chat import Reply
from parallel_mcp.chat.links import same_page
from parallel_mcp.chat.marks import marks_in
from parallel_mcp.models import Answer, Question, Research
from parallel_mcp.report import fit, markdown, prose
from parallel_mcp.settings import Settings

WIRE = Path(__file__).parents[3] / "shared" / "wire"
BASE = Question(text="Why?", model="base")
SPEED = Question(text="Why?", model="speed")

recorded = pytest.mark.skipif(not WIRE.is_dir(), reason="the recorded answers are not here")


def read(body: bytes, question: Question = BASE) -> Answer:
    reading = chat.Reading()
    reading.feed(body)
    return chat.answer(question, reading.reply(), answer_citations=True, cost_usd=0.01, seconds=1.0)


def understood(content: str, basis: Any = (), question: Question = BASE, **more: Any) -> Answer:
    reply = Reply(content, basis, None, True, **more)
    return chat.answer(question, reply, answer_citations=True, cost_usd=0.01, seconds=1.0)


def sources(answer: Answer) -> dict[int, str]:
    return {citation.number: citation.url for citation in answer.citations}


def cited(*urls: str) -> list[dict[str, Any]]:
    return [{"field": "output", "reasoning": "", "citations": [{"url": url} for url in urls]}]


# The recorded answer


def meant_by_the_author(content: str) -> dict[int, str]:
    """The recorded list, read only by its own form: `12. *Title*. URL` on a line."""
    lines = content[content.index("## References") :].splitlines()[2:]
    return {int(line.partition(".")[0]): line.rpartition(" ")[2] for line in lines}


@recorded
def test_all_forty_numbers_of_the_recorded_answer_lead_where_its_list_says() -> None:
    body = (WIRE / "recorded_text.json").read_bytes()
    meant = meant_by_the_author(json.loads(body)["choices"][0]["message"]["content"])
    answer = read(body)
    assert len(meant) == 40
    assert {number: url for number, url in sources(answer).items() if number <= 40} == meant
    assert len(answer.citations) == 72
    assert "## References" not in answer.content
    used = {number for mark in marks_in(answer.content) for number in mark.numbers}
    assert used == set(meant)


@recorded
@pytest.mark.parametrize("limit", [100_000, 40_000, 30_000])
def test_the_numbers_stay_in_text_in_markdown_and_after_trimming(limit: int) -> None:
    body = (WIRE / "recorded_text.json").read_bytes()
    meant = meant_by_the_author(json.loads(body)["choices"][0]["message"]["content"])
    answer = fit(read(body), limit, lambda short: len(short.model_dump_json()), None)
    assert len(answer.model_dump_json()) <= limit
    text = prose(answer)
    research = Research(
        research_id="r", status="completed", question="Why?", model="base", created_at="2026-11-25T00:00:00Z",
        seconds=1.0, attempts=1, answer=answer, error=None,
    )  # fmt: skip
    page = markdown(research)
    for number, url in meant.items():
        assert sources(answer)[number] == url
        assert any(line.startswith(f"[{number}] ") and url in line for line in text.splitlines())
        assert any(f"\\[{number}\\]" in line and url in line for line in page.splitlines())


@recorded
def test_the_recorded_data_stays_whole_at_the_default_limit_which_fits_the_hosts() -> None:
    schema = json.loads((WIRE / "recorded_schema.output_schema.json").read_text("utf-8"))
    answer = read((WIRE / "recorded_schema.json").read_bytes(), BASE.model_copy(update={"output_schema": schema}))
    limit = Settings().max_result_chars
    fitted = fit(answer, limit, lambda short: len(short.model_dump_json().encode()), "research://r/md")
    assert fitted.data == answer.data
    assert fitted.data is not None
    both = fitted.model_dump_json() + prose(fitted)
    assert len(get_encoding("o200k_base").encode(both)) <= 25_000


# Forms of lists and of marks

URLS = ("https://a.example/one", "https://b.example/two_(2)", "https://c.example/three?q=1,2")

LISTS = {
    "numbered": "## References\n\n1. *One*. {0}\n2. *Two*. {1}\n3. *Three*. {2}",
    "linked": "### Sources\n\n1. [One]({0})\n2. [Two]({1})\n3. [Three]({2})",
    "labels": "Sources:\n[1] One - {0}\n[2] Two - {1}\n[3] Three - {2}",
    "bulleted": "**Sources**\n- [One]({0})\n- [Two]({1})\n- [Three]({2})",
    "bulleted labels": "Sources:\n- [1] {0}\n- [2] {1}\n- [3] {2}",
    "bare": "References:\n{0}\n{1}\n{2}",
    "angles": "References\n\n1) <{0}>\n2) <{1}>\n3) <{2}>",
    "footnotes": "[^1]: {0} One\n[^2]: Two, {1}\n[^3]: <{2}>",
    "definitions": '[1]: {0} "One"\n[2]: {1} "Two"\n[3]: {2}',
    "two lines": "Sources\n\n1. One\n   {0}\n2. Two\n   {1}\n3. Three\n   {2}",
    "one line": "Sources: [1] {0} [2] {1} [3] {2}",
    "run in": "And so on. ## References 1. *One*. {0} 2. *Two*. {1} 3. *Three*. {2}",
    "no heading": "1. One: {0}\n2. Two: {1}\n3. Three: {2}",
    "fullwidth": "参考文献\n【1】{0}\n【2】{1}\n【3】{2}",
    "after a rule": "---\n**References:**\n\n[1](<{0}>) One\n[2](<{1}>) Two\n[3](<{2}>) Three",
}

MARKS = ["[{}]", "[^{}]", "【{}†L1-L4】", "[{}†source]", "<sup>[{}]</sup>", "<sup>{}</sup>"]


@pytest.mark.parametrize("form", LISTS)
@pytest.mark.parametrize("mark", MARKS)
def test_a_list_of_any_form_numbers_the_citations_and_is_not_repeated(form: str, mark: str) -> None:
    said = f"It is so{mark.format(2)}, as it was{mark.format(3)}{mark.format(1)}."
    answer = understood(f"{said}\n\n{LISTS[form].format(*URLS)}", cited(URLS[2], "https://d.example", URLS[0], URLS[1]))
    assert sources(answer) == {1: URLS[0], 2: URLS[1], 3: URLS[2], 4: "https://d.example"}
    assert answer.content.startswith("It is so[2], as it was[3][1].")
    assert not any(url in answer.content for url in URLS)
    assert answer.warnings == ()
    assert [entry.citations for entry in answer.basis] == [(3, 4, 1, 2)]


def test_what_is_said_after_the_list_stays() -> None:
    answer = understood("So [1].\n\n## Sources\n\n1. https://a.example\n\n## Outlook\n\nIt rains.")
    assert answer.content == "So [1].\n\n## Outlook\n\nIt rains."


def test_a_list_that_is_the_answer_itself_stays() -> None:
    content = "The best two:\n\n1. [A](https://a.example), fast\n2. [B](https://b.example), cheap"
    assert understood(content).content == content


def test_a_list_that_says_more_than_sources_stays_and_still_numbers_them() -> None:
    content = "So [2].\n\nReferences\n1. Smith, 2020\n2. https://b.example"
    answer = understood(content, cited("https://x.example", "https://b.example"))
    assert answer.content == content
    assert sources(answer) == {2: "https://b.example", 3: "https://x.example"}


def test_two_numbers_of_one_page_lead_to_it_both() -> None:
    answer = understood(
        "So [1][2].\n\nSources:\n1. http://A.example/\n2. https://a.example", cited("https://a.example")
    )
    assert {number: same_page(url) for number, url in sources(answer).items()} == {1: "a.example", 2: "a.example"}


@pytest.mark.parametrize("mark", ["[3]", "[2, 3]", "[1-3]", "[^3]", "【3】"])
def test_a_mark_that_nothing_explains_points_at_no_source(mark: str) -> None:
    answer = understood(f"So {mark}.", cited(*URLS))
    explained = {number for found in marks_in(mark) for number in found.numbers}
    assert mark in answer.content
    assert not explained & sources(answer).keys()
    assert set(sources(answer).values()) == set(URLS)
    assert len(answer.warnings) == 1


def test_numbers_in_code_and_images_are_no_marks() -> None:
    content = "`a[1]` and\n```\nb[2]\n```\nand ![3](https://x.example/i.png) and \\[1]"
    answer = understood(content, cited(*URLS))
    assert list(sources(answer)) == [1, 2, 3]
    assert answer.content == content


def test_a_mark_with_its_own_link_gets_the_number_of_that_link() -> None:
    content = "One [1](https://a.example), two [1](https://b.example), three [[3]](https://c.example)."
    answer = understood(content, cited("https://b.example"))
    for mark in marks_in(answer.content):
        assert sources(answer)[mark.numbers[0]] == mark.url
    assert len(answer.citations) == 3


def test_two_lists_that_disagree_about_a_number_leave_it_to_no_source() -> None:
    content = "A [1].\n\nSources:\n1. https://a.example\n\nB [1].\n\nSources:\n1. https://b.example\n"
    answer = understood(content)
    assert set(sources(answer).values()) == {"https://a.example", "https://b.example"}
    assert 1 not in sources(answer)


# web_answer and other services


def test_marks_count_the_list_that_came_beside_the_answer() -> None:
    content = json.dumps(
        {"answer": "So [2], not [3].", "citations": ["a book", "https://b.example", "https://c.example"]}
    )
    answer = understood(content, question=SPEED)
    assert sources(answer) == {2: "https://b.example", 3: "https://c.example"}


def test_marks_count_the_fields_of_other_services() -> None:
    results = [{"title": "B", "url": "https://b.example", "snippet": "b b"}]
    body = {
        "choices": [{"message": {"content": "<think>Hm, [1]?</think>\n\nSo [2][1]."}}],
        "citations": ["https://a.example", "https://b.example"],
        "search_results": results,
    }
    answer = read(json.dumps(body).encode())
    assert answer.content == "So [2][1]."
    assert [(each.number, each.url, each.title, each.excerpts) for each in answer.citations] == [
        (1, "https://a.example", None, ()),
        (2, "https://b.example", "B", ("b b",)),
    ]


def test_annotated_marks_lead_to_what_they_are_annotated_with() -> None:
    content = "So 【4:0†source】 and 【4:1†source】."
    spans = [(3, 15, "https://b.example"), (20, 32, "https://a.example")]
    annotations = [
        {"type": "url_citation", "url_citation": {"url": url, "title": "T", "start_index": start, "end_index": end}}
        for start, end, url in spans
    ]
    answer = understood(content, annotations=tuple(annotations))
    found = [(mark.numbers, mark.url) for mark in marks_in(answer.content)]
    assert [url for _, url in found] == ["https://b.example", "https://a.example"]
    assert all(sources(answer)[numbers[0]] == url for numbers, url in found)


# Any answer

URL_PARTS = st.text(st.sampled_from("abcdefghij"), min_size=1, max_size=6)


@st.composite
def authored(draw: st.DrawFn) -> tuple[str, list[str], list[str], list[int]]:
    """An answer, the URLs of its list, those of its basis, and the numbers of its marks, all in order."""
    names = draw(st.lists(URL_PARTS, min_size=1, max_size=8, unique=True))
    listed = [f"https://{name}.example/{index}" for index, name in enumerate(names)]
    others = [f"https://other.example/{name}" for name in draw(st.lists(URL_PARTS, max_size=4, unique=True))]
    retrieved = draw(st.permutations([*listed[:: draw(st.integers(1, 3))], *others]))
    used = draw(st.lists(st.integers(1, len(listed)), max_size=12))
    mark = draw(st.sampled_from(MARKS))
    words = draw(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="[]`<>【】()\\!\n\r:/"), max_size=20))
    )
    sentences = [f"{word} {mark.format(number)}" for word, number in zip([*words, *["so"] * 12], used, strict=False)]
    entry = draw(st.sampled_from(["{n}. {t}. {u}", "[{n}] {t} - {u}", "- [{n}] [{t}]({u})", "{n}) [{t}]({u})"]))
    heading = draw(st.sampled_from(["## References", "Sources:", "**Sources**", "### Citations"]))
    lines = [entry.format(n=n, t=f"Title {n}", u=url) for n, url in enumerate(listed, 1)]
    text = ". ".join(sentences) + "\n\n" + heading + "\n\n" + "\n".join(lines)
    return text, listed, list(retrieved), used[: len(sentences)]


@given(authored())
def test_every_mark_of_any_answer_leads_to_the_url_that_its_author_meant(
    answer_of: tuple[str, list[str], list[str], list[int]],
) -> None:
    text, listed, retrieved, used = answer_of
    answer = understood(text, cited(*retrieved))
    marks = list(marks_in(answer.content))
    assert [number for mark in marks for number in mark.numbers] == used
    for number, url in enumerate(listed, 1):
        assert sources(answer)[number] == url
    assert set(sources(answer).values()) == {*listed, *retrieved}
