"""The sandbox's answers and its corpus."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_mcp.sandbox import SandboxOptions, example_questions, prepare
from parallel_mcp.sandbox.documents import Document, distribution_documents, gather, own_documents, topic_documents
from parallel_mcp.sandbox.engine import NOTICE, Earlier, Engine, Model
from parallel_mcp.sandbox.fields import NOT_FOUND, prose
from parallel_mcp.sandbox.index import cache_folder, open_index
from parallel_mcp.sandbox.reading import plain
from tests.support.sandboxes import Caller, Start, written

MODELS: list[Model] = ["speed", "lite", "base", "core"]
QUESTIONS = [
    "How does the with statement use a context manager?",
    "What does the nonlocal statement do?",
    "How does the match statement compare a pattern with a value?",
    "Which operators have the highest precedence?",
    "What does a yield expression in a generator function do?",
    "How do relative imports with leading dots work?",
    "What happens when Redis is gone?",
    "What happens when a replica is killed?",
]
ABSENT = [
    "latest news about OpenAI",
    "how do I read a json file in python",
    "who is the French president",
    "What does Parallel Web Systems do?",
    "Who won the football World Cup in 1966?",
    "How long do I boil an egg?",
    "Zxqv blorptang?",
    "?!",
    "",
    "How do I do it?",
]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return prepare(SandboxOptions())


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {document.url: document.text for document in gather(())[1]}


Made = Callable[..., Engine]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """An engine over its own folder."""

    def make(**texts: str) -> Engine:
        return prepare(SandboxOptions(corpus=(written(tmp_path / "corpus", **texts),)))

    return make


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_excerpt_stands_in_the_document_that_it_cites_to_the_character(
    engine: Engine, texts: dict[str, str], question: str, model: Model
) -> None:
    found = engine.search(question, model)
    assert found.sources
    for source in found.sources:
        assert source.excerpts
        assert all(excerpt in texts[source.url] for excerpt in source.excerpts)


@pytest.mark.parametrize("question", QUESTIONS)
def test_answer_is_up_to_three_sentences_of_the_best_passage_without_markup(engine: Engine, question: str) -> None:
    found = engine.search(question, "base")
    best = found.sources[0].excerpts
    assert 1 <= len(best) <= 3
    assert len(set(best)) == len(best)
    said = " ".join(map(plain, best))
    assert prose(found) == f"{said}\n\n{NOTICE}"
    assert prose(found, marked=True).startswith(f"{said} [1]")
    assert prose(found, marked=True).count("\n1. *") == 1


@pytest.mark.parametrize("question", ABSENT)
def test_what_is_not_in_the_corpus_is_said_to_be_not_found_with_what_was_searched(
    engine: Engine, question: str
) -> None:
    found = engine.search(question, "base")
    assert found.sources == ()
    assert found.confidence == "low"
    assert prose(found, marked=True).startswith(NOT_FOUND)
    assert "parallel-mcp's documentation and the reference topics of Python" in prose(found)
    assert prose(found).endswith(NOTICE)


@pytest.mark.anyio
async def test_not_found_is_plain_on_the_wire_too(sandbox: Caller) -> None:
    body = (await sandbox.chat("How long do I boil an egg?", model="base")).json()
    assert body["choices"][0]["message"]["content"].startswith(NOT_FOUND)
    assert body["basis"][0]["citations"] == []
    assert body["basis"][0]["confidence"] == "low"


@pytest.mark.parametrize("question", example_questions())
def test_example_questions_are_answered(engine: Engine, question: str) -> None:
    assert engine.search(question, "speed").confidence != "low"


def test_wider_models_cite_more_and_rank_alike(engine: Engine) -> None:
    found = [[engine.search(question, model).urls for question in QUESTIONS] for model in MODELS]
    counts = [sum(map(len, each)) for each in found]
    assert counts[0] <= counts[1] < counts[2] < counts[3]
    assert all(len({urls[0] for urls in each}) == 1 for each in zip(*found, strict=True))


VALVE = "# Valve\n\nThe **green valve** of the [boiler](x.md) releases steam. It closes again at `two` bar.\n"


def test_markup_is_removed_from_what_is_shown_and_stays_in_the_excerpt(made: Made) -> None:
    found = made(valve=VALVE).search("Which valve of the boiler releases steam?", "base")
    assert found.sources[0].excerpts[0] == "The **green valve** of the [boiler](x.md) releases steam."
    assert prose(found).startswith("The green valve of the boiler releases steam. It closes again at two bar.\n\n")


def test_confidence_is_higher_where_more_of_the_question_is_held(made: Made) -> None:
    engine = made(valve=VALVE, pump="# Pump\n\nThe pump moves cold water to the tank in the attic.\n")
    whole = engine.search("Which green valve of the boiler releases steam?", "base")
    part = engine.search("Which green valve of the gearbox releases steam?", "base")
    other = engine.search("Which purple valve of the gearbox holds oil?", "base")
    assert whole.confidence == "high"
    assert part.evidence < whole.evidence
    assert not other.sources


def test_a_name_that_the_passage_lacks_is_not_answered_from_it(made: Made) -> None:
    engine = made(valve=VALVE)
    assert engine.search("Which green valve of the boiler releases steam?", "base").sources
    assert not engine.search("Which green valve of the Honeywell boiler releases steam?", "base").sources


def test_follow_up_without_documents_is_read_together_with_the_earlier_question(made: Made) -> None:
    engine = made(valve=VALVE)
    assert engine.search("And which releases steam?", "base", Earlier("Which green valve of the boiler?", ())).sources


def test_the_same_sentence_in_two_documents_is_cited_once(made: Made) -> None:
    found = made(one=VALVE, other=VALVE).search("Which green valve of the boiler releases steam?", "core")
    assert len(found.sources) == 1


# The corpus


def test_a_wheel_holds_the_documentation_that_a_checkout_has(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    target = tmp_path / "installed"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, timeout=120)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from parallel_mcp.sandbox import documents; "
        "assert documents.__file__.startswith(sys.argv[1]); "
        "print(*(document.url for document in documents.own_documents()))"
    )
    run = [sys.executable, "-c", program, str(target)]
    done = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60)
    assert sorted(done.stdout.split()) == sorted(document.url for document in own_documents())
    assert len(own_documents()) > 5


def test_every_topic_has_a_page_of_the_documentation() -> None:
    topics = topic_documents()
    assert all(document.url.startswith("https://docs.python.org/3/") for document in topics)
    if sys.version_info[:2] == (3, 11):
        assert not [document.url for document in topics if "search.html" in document.url]
        assert len(topics) == 79


def test_installed_adds_the_distributions_to_what_is_searched_otherwise(tmp_path: Path) -> None:
    installed = {document.url for document in distribution_documents()}
    assert any(url.startswith("pkg:pypi/starlette@") for url in installed)
    own = {document.url for document in gather(())[1]}
    assert {document.url for document in gather(["installed"])[1]} == own | installed
    folder = written(tmp_path / "f", valve=VALVE)
    assert {document.url for document in gather([folder, "installed"])[1]} == {
        (folder / "valve.md").as_uri(),
        *installed,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = written(tmp_path / "corpus", boiler=VALVE)
    (root / "deep").mkdir()
    (root / "deep" / "pump.html").write_text(
        "<html><head><title>Pump &amp; hose</title><script>var gasket = 'quixotic';</script></head><body>"
        "<nav>Quixotic gaskets</nav><h1>The pump</h1>"
        "<p>The centrifugal pump <b>must</b> be primed\n with water before it is started.</p></body></html>"
    )
    (root / "notes.txt").write_text("Descale the heat exchanger every second autumn with citric acid.")
    (root / "picture.png").write_bytes(b"\x89PNG")
    (root / ".secret.md").write_text("The combination of the safe in the cellar is written on this page only.")
    (root / ".git").mkdir()
    (root / ".git" / "page.md").write_text("The combination of the safe in the cellar is written on this page only.")
    outside = tmp_path / "outside.md"
    outside.write_text("The combination of the safe in the cellar is written on this page only.")
    (root / "link.md").symlink_to(outside)
    (root / "linked").symlink_to(tmp_path)
    return root


def test_folder_is_read_without_dotfiles_and_links_out_of_it_and_cited_by_file_url(folder: Path) -> None:
    names = ["boiler.md", "deep/pump.html", "notes.txt"]
    assert sorted(document.url for document in gather([folder])[1]) == sorted(
        (folder / name).as_uri() for name in names
    )
    engine = prepare(SandboxOptions(corpus=(folder,)))
    pump = engine.search("What must be done before the centrifugal pump is started?", "lite").sources[0]
    assert pump.title == "Pump & hose"
    assert pump.excerpts == ("The centrifugal pump must be primed with water before it is started.",)
    assert not engine.search("Which gasket is quixotic?", "core").sources
    assert not engine.search("How does the with statement use a context manager?", "core").sources


@pytest.mark.anyio
async def test_folder_of_the_options_is_searched(start: Start, folder: Path) -> None:
    async with start(SandboxOptions(corpus=(folder,))) as sandbox:
        body = (await sandbox.chat("How often do I descale the heat exchanger?", model="base")).json()
        assert "every second autumn" in body["choices"][0]["message"]["content"]


def test_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        SandboxOptions(corpus=(tmp_path / "nowhere",))


def test_an_index_is_kept_by_what_was_read(tmp_path: Path) -> None:
    made: list[int] = []
    for said in ("Steam is hot.", "Steam is hot.", "Steam is very hot."):
        document = Document("https://a.example", "A", f"{said} {tmp_path}")
        open_index("a", [document], lambda done, total: made.append(done)).close()
    assert made == [1, 1]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_folder().is_dir()
    assert open_index("a", [Document("https://a.example", "A", "Steam is hot.")]).documents == 1


SLOW = {
    "links": "[]()" * 100_000 + "x",
    "heading": "# a" + " " * 400_000 + "b",
    "blanks": "a." + " " * 400_000 + "b",
    "brackets": "[" * 400_000,
    "stars": "*" * 200_001 + "a" + "*" * 200_001,
    "ticks": "`a" * 200_000,
    "dots": "a. " * 130_000,
    "quotes": ('." ' + "'" * 300) * 1_000,
    "rules": "=" * 400_000 + "\n" + "-" * 400_000,
    "roles": ":a:`" * 100_000,
    "tags": "<a" * 200_000,
    "one line": "Word " * 80_000,
    "many lines": "a\n" * 200_000,
    "front matter": "---\n" + "title: x\n" * 50_000,
}
PAGES = {
    "pre": "<pre>" + " " * 400_000 + "b",
    "deep": "<div>" * 20_000 + "x",
    "unclosed": "<p " * 130_000,
    "attributes": "<p " + "a=b " * 100_000 + ">",
    "list": "<ul><li>" * 20_000,
}


@pytest.mark.parametrize("shape", [*SLOW, *PAGES])
def test_document_and_question_of_any_shape_are_read_in_linear_time(tmp_path: Path, shape: str) -> None:
    # Each takes well under a second if reading is linear, and hours if it is not.
    text = SLOW.get(shape) or PAGES[shape]
    path = tmp_path / ("page.html" if shape in PAGES else "page.md")
    path.write_text(text)
    program = (
        "import sys; from pathlib import Path; from parallel_mcp.sandbox import SandboxOptions, prepare\n"
        "from parallel_mcp.sandbox.fields import prose, reply\n"
        "engine = prepare(SandboxOptions(corpus=(Path(sys.argv[1]).parent,)))\n"
        "text = Path(sys.argv[1]).read_text()\n"
        "reply(engine, text + '?', None, 'core', {'type': 'object', 'properties': {text[:5000]: {'type': 'number'}}})\n"
        "reply(engine, 'What is a word b x?', None, 'core', None)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=60, capture_output=True)
