"""What is answered, and from what."""

import sys
from pathlib import Path

import pytest

from parallel_mcp.sandbox import SandboxOptions, create_app, example_questions
from parallel_mcp.sandbox.corpus import Corpus, Document, folder_documents, load, topic_documents, topic_url
from parallel_mcp.sandbox.engine import NOT_FOUND, NOTICE, Engine, Model, one_line, prose_answer
from parallel_mcp.sandbox.prose import is_whole
from tests.support.sandboxes import Caller, Start

MODELS: list[Model] = ["speed", "lite", "base", "core"]
QUESTIONS = [
    "How does the with statement use a context manager?",
    "What does Starlette offer for building async web services?",
    "How do I retry a flaky network call with increasing pauses?",
    "How can I validate JSON against a schema?",
    "What is an anonymous function, and how is one written?",
    "How do I run several tasks at the same time and cancel them together?",
    "How do I leave a loop early?",
    "Which characters are allowed in a variable's name?",
    "How do I catch an exception and clean up afterwards?",
    "What happens when I slice a list with a negative step?",
    "How do I read environment variables and settings into typed objects?",
    "What is an ASGI server?",
    "How do I format a number with thousands separators?",
    "What does the yield expression do?",
    "How do type hints constrain a value?",
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    # This project's own description may speak of what is asked for here as something that nobody knows.
    return Engine(Corpus(each for each in load().documents if each.key != "dist:parallel-mcp"))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_excerpt_stands_in_the_document_that_it_cites_to_the_character(
    engine: Engine, question: str, model: Model
) -> None:
    found = engine.search(question, model)
    assert found.sources
    for source in found.sources:
        assert source.excerpts
        for excerpt in source.excerpts:
            assert engine.corpus.contains(source.document.url, excerpt)


@pytest.mark.parametrize("question", QUESTIONS)
def test_answer_is_made_of_what_it_cites(engine: Engine, question: str) -> None:
    found = engine.search(question, "core")
    said = prose_answer(found, listed=False)
    for number, source in enumerate(found.sources, 1):
        for excerpt in source.excerpts:
            said = said.replace(f"{one_line(excerpt)} [{number}]", "")
    assert said.strip() == NOTICE


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "question",
    [
        "What does Parallel Web Systems do?",
        "Who won the football World Cup in 1966?",
        "How long do I boil an egg?",
        "Zxqv blorptang?",
        "?!",
    ],
)
def test_what_is_not_in_the_corpus_is_said_to_be_not_found(engine: Engine, question: str, model: Model) -> None:
    found = engine.search(question, model)
    assert found.sources == ()
    assert found.confidence == "low"
    assert prose_answer(found, listed=True).startswith(NOT_FOUND)


@pytest.mark.anyio
async def test_not_found_is_plain_on_the_wire_too(sandbox: Caller) -> None:
    body = (await sandbox.chat("How long do I boil an egg?", model="base")).json()
    assert body["choices"][0]["message"]["content"].startswith("Not found in the local documents")
    assert body["basis"][0]["citations"] == []
    assert body["basis"][0]["confidence"] == "low"


@pytest.mark.parametrize("model", MODELS)
def test_example_questions_are_answered_from_what_is_always_there(model: Model) -> None:
    # Starlette comes with the server, the topics with Python.
    engine = Engine(Corpus([each for each in load().documents if each.key.startswith(("topic:", "dist:starlette"))]))
    first, second = (engine.search(question, model) for question in example_questions())
    assert first.sources[0].document.key == "dist:starlette"
    assert {source.document.key for source in second.sources} & {"topic:with", "topic:context-managers"}


def test_wider_models_cite_more(engine: Engine) -> None:
    counts = [sum(len(engine.search(question, model).sources) for question in QUESTIONS) for model in MODELS]
    assert counts[0] <= counts[1] < counts[2] < counts[3]


def test_confidence_is_higher_where_more_of_the_question_is_covered() -> None:
    said = "The green valve releases steam when the boiler overheats."
    also = "A green valve on the boiler releases steam slowly at night."
    corpus = Corpus(
        [
            Document("a", "https://a.example", "A", "A", "", said),
            Document("b", "https://b.example", "B", "B", "", also),
            *topic_documents(),
        ]
    )
    engine = Engine(corpus)
    assert engine.search("Which green valve releases steam from the boiler?", "base").confidence == "high"
    assert engine.search("Which green valve releases oil from the warm gearbox?", "base").confidence == "low"


def test_every_answer_says_that_it_comes_from_this_machine(engine: Engine) -> None:
    for question in [*QUESTIONS, "How long do I boil an egg?"]:
        assert prose_answer(engine.search(question, "lite"), listed=True).endswith(NOTICE)


# The corpus


def test_every_topic_has_a_page_of_the_documentation() -> None:
    pages = {topic_url(document.name.replace(" ", "-")) for document in topic_documents()}
    if sys.version_info[:2] == (3, 11):
        assert not [page for page in pages if "search.html" in page]
        assert len(pages) == 79
    assert topic_url("assert") == "https://docs.python.org/3/reference/simple_stmts.html#assert"
    assert topic_url("never-heard-of") == "https://docs.python.org/3/search.html?q=never-heard-of"


def test_distributions_are_cited_by_their_own_address_and_titled_as_installed_text() -> None:
    found = [document for document in load().documents if document.key.startswith("dist:")]
    assert found
    assert all("the installed package's own description" in document.title for document in found)
    assert all(document.url.startswith(("https://", "http://", "pkg:")) for document in found)
    assert not [document.url for document in found if "pypi" in document.url and document.url.startswith("http")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    (root / "deep").mkdir(parents=True)
    (root / "boiler.md").write_text(
        "# Boiler manual\n\n![badge](https://x.example/b.svg)\n\n"
        "The pressure relief valve opens at 3 bar and closes at 2 bar.\n\n"
        "```\nthe code says nothing of the quixotic gasket here\n```\n"
    )
    (root / "deep" / "pump.html").write_text(
        "<html><head><title>Pump &amp; hose</title><script>var gasket = 'quixotic';</script></head><body>"
        "<p>The centrifugal pump <b>must</b> be primed with water before it is started.</p></body></html>"
    )
    (root / "notes.txt").write_text("Descale the heat exchanger every second autumn with citric acid.")
    (root / "picture.png").write_bytes(b"\x89PNG")
    outside = tmp_path / "outside.md"
    outside.write_text("The combination of the safe in the cellar is written on this page only.")
    (root / "link.md").symlink_to(outside)
    (root / "linked").symlink_to(tmp_path)
    return root


def test_folder_is_read_and_cited_by_file_url(folder: Path) -> None:
    engine = Engine(load([folder]))
    valve = engine.search("At how many bar does the pressure relief valve open?", "lite").sources[0]
    assert valve.document.url == (folder / "boiler.md").as_uri()
    assert valve.excerpts == ("The pressure relief valve opens at 3 bar and closes at 2 bar.",)
    pump = engine.search("What must be done before the centrifugal pump is started?", "lite").sources[0]
    assert pump.document.title.startswith("Pump & hose")
    assert pump.excerpts == ("The centrifugal pump must be primed with water before it is started.",)
    assert not engine.search("Which gasket is quixotic?", "core").sources


def test_links_that_lead_out_of_the_folder_are_not_followed(folder: Path) -> None:
    assert {document.key for document in folder_documents(folder)} == {
        "file:boiler.md",
        "file:deep/pump.html",
        "file:notes.txt",
    }


@pytest.mark.anyio
async def test_folder_of_the_options_is_searched(start: Start, folder: Path) -> None:
    async with start(SandboxOptions(corpus=(folder,))) as sandbox:
        body = (await sandbox.chat("How often do I descale the heat exchanger?", model="base")).json()
        assert "every second autumn" in body["choices"][0]["message"]["content"]


def test_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        create_app(SandboxOptions(corpus=(tmp_path / "nowhere",)))


def test_passage_that_stands_in_two_documents_is_cited_from_the_shorter_one() -> None:
    shared = "The flux capacitor needs exactly one point twenty-one gigawatts of power."
    padding = " ".join(f"Sentence number {n} of this long manual speaks of another matter." for n in range(200))
    long = Document("long", "https://long.example", "Long", "Long", "", f"{padding}\n\n{shared}")
    short = Document("short", "https://short.example", "Short", "Short", "", shared)
    found = Engine(Corpus([long, short])).search("How much power does the flux capacitor need?", "base")
    assert found.sources[0].document.key == "short"


def test_one_sentence_of_a_long_manual_is_enough() -> None:
    chapters = [f"Chapter {n} speaks of pumps, gaskets and pipes, and of nothing else at all." for n in range(300)]
    said = "Descale the heat exchanger every second autumn."
    manual = Document("manual", "https://manual.example", "Manual", "Manual", "", "\n\n".join([*chapters, said]))
    found = Engine(Corpus([manual, *topic_documents()])).search("How often do I descale the heat exchanger?", "lite")
    assert said in found.sources[0].excerpts


def test_document_is_found_by_everyday_words_that_it_does_not_have() -> None:
    cli = Document(
        "cli",
        "https://cli.example",
        "Cli",
        "Zork",
        "A command line interface toolkit",
        "Zork composes commands of any depth.",
    )
    assert "shell" not in cli.text
    found = Engine(Corpus([cli, *topic_documents()])).search(
        "Something for a shell script with flags and options?", "lite"
    )
    assert found.sources[0].document.key == "cli"


@pytest.mark.parametrize("question", QUESTIONS)
def test_only_whole_sentences_and_summaries_are_quoted(engine: Engine, question: str) -> None:
    for source in engine.search(question, "core").sources:
        assert all(is_whole(excerpt) or excerpt == source.document.summary for excerpt in source.excerpts)


@pytest.mark.parametrize(
    ("sentence", "whole"),
    [
        ("It opens at seven bar.", True),
        ('"with" closes the file (and says so).', True),
        ("See the `Installation Instructions", False),
        ("and then some more of it.", False),
        ("Use it like this:", False),
        ("It opens (at seven bar.", False),
    ],
)
def test_sentence_is_whole_that_begins_and_ends_as_one_and_closes_what_it_opens(sentence: str, whole: bool) -> None:
    assert is_whole(sentence) is whole


def test_a_name_that_the_best_document_lacks_is_not_answered_from_it(engine: Engine) -> None:
    asked = "How do I skip the rest of this round of a loop?"
    assert engine.search(asked, "base").sources[0].document.key == "topic:continue"
    assert not engine.search("How do I skip the rest of this round of the Davis Cup?", "base").sources


def test_a_word_that_stands_for_another_finds_what_that_one_does() -> None:
    boiler = Document("b", "https://b.example", "Boiler", "Boiler", "", "The valve halts when the boiler is too hot.")
    engine = Engine(Corpus([boiler, *topic_documents()]))
    assert engine.evidence("When does the valve stop?") > engine.evidence("When does the valve whistle?")


def test_a_word_that_is_in_no_document_counts_against_an_answer(engine: Engine) -> None:
    usual = engine.evidence("How do I skip the rest of a loop?")
    assert engine.evidence("How do I skip the rest of a gabardine loop?") < usual
