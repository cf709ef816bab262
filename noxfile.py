"""Everything that a contributor runs: `nox` checks a change, `nox -l` lists the rest."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2026.1"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["lint", "types", "dependencies", "wheel", "page", "tests-3.11"]

PYTHONS = ("3.11", "3.12", "3.13")

# Folders of tests in which a later Python could make a difference, and which need no other program.
PORTABLE = ("chat", "client", "compat", "report", "research", "schemas", "settings", "stores", "tasks", "tools")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and likely mistakes."""
    session.install("ruff>=0.17,<0.18")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Strict type checks of the package, the benchmarks and the tests."""
    session.install("-e", ".[dev]")
    session.run("mypy", *session.posargs)


@nox.session
def dependencies(session: nox.Session) -> None:
    """Every imported package is declared, and every declared package is imported."""
    session.install("-e", ".[dev]", "deptry>=0.25,<0.26")
    session.run("deptry", "parallel_mcp")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it alone, and ask it a question from an empty folder."""
    session.install("build", "uv")
    with tempfile.TemporaryDirectory() as folder:
        built, home = Path(folder, "dist"), Path(folder, "home")
        home.mkdir()
        session.run("python", "-m", "build", "--installer", "uv", "--outdir", str(built), silent=True)
        (archive,) = built.glob("*.whl")
        session.run("python", "tests/support/wheel.py", str(archive))
        session.run("uv", "venv", "-q", f"{folder}/venv")
        session.run("uv", "pip", "install", "-q", "--python", f"{folder}/venv", str(archive))
        session.chdir(home)
        installed = f"{folder}/venv/bin/parallel-mcp"
        environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
        session.run(installed, "--version", external=True, env=environment, include_outer_env=False)
        session.run(
            *(installed, "research", "--sandbox", "--json", "What is a context manager?"),
            external=True,
            env=environment,
            include_outer_env=False,
            silent=True,
        )


@nox.session(venv_backend="none")
def page(session: nox.Session) -> None:
    """The report page: types, and whether page.html was built from its sources; `nox -s page -- build` builds it."""
    for folder in ("parallel_mcp/report/page", "tests/page"):
        session.run("npm", "install", "--prefix", folder, "--no-save", "--no-package-lock", "--no-audit", "--no-fund")
    session.run("npm", "run", "--prefix", "parallel_mcp/report/page", *(session.posargs or ["check"]))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, or those named after `--`."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "-n", "4", *session.posargs)


@nox.session(python=PYTHONS[1:])
def portable(session: nox.Session) -> None:
    """The tests of the core on later Pythons, without the stores' long histories."""
    session.install("-e", ".[test]")
    folders = [f"tests/{folder}" for folder in PORTABLE]
    session.run("pytest", "-q", "-n", "4", "--deselect", "tests/stores/test_machine.py", *folders, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The tests with branch coverage, which must not fall below the floor in pyproject.toml."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "-n", "4", "--cov", "--cov-report=term:skip-covered", *session.posargs)


@nox.session
def conformance(session: nox.Session) -> None:
    """The official MCP scenarios and the Inspector."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.end_to_end.conformance.run", *session.posargs)


@nox.session
def uvloop(session: nox.Session) -> None:
    """The HTTP service on uvloop, which it uses if installed."""
    session.install("-e", ".[test]", "uvloop")
    session.run("pytest", "-q", "-n", "4", "tests/http", "tests/end_to_end/test_http.py", *session.posargs)


@nox.session
def no_front(session: nox.Session) -> None:
    """The stdio server in one process, without a front."""
    session.install("-e", ".[test]")
    session.run("pytest", "-q", "-n", "4", "tests/stdio/test_engine.py", *session.posargs, env={"TESTS_NO_FRONT": "1"})


@nox.session
def per_call(session: nox.Session) -> None:
    """Frameworks that start a server for each call: one request per question, at 8 and at 70 seconds; for releases."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.per_call.run", *session.posargs)


@nox.session
def survival(session: nox.Session) -> None:
    """A minute's sleep, a full disk, a container's end, the previous version: one request each; root, for releases."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.stdio.survival", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """The frameworks' examples, or those named after `--`; each framework is installed separately."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "tests.examples.run", *session.posargs)


def _npm(session: nox.Session, folder: str, *only: str) -> str:
    """Install the Node packages of a folder's package.json, or only those named, in the session's own folder."""
    target = Path(session.create_tmp(), folder.replace("/", "-")).absolute()
    # What tests leave behind does not belong into the checkout, where the judges would find it.
    session.env.pop("TMPDIR", None)
    target.mkdir(exist_ok=True)
    wanted = json.loads(Path(folder, "package.json").read_text("utf-8"))
    wanted["dependencies"] = {
        name: version
        for name, version in wanted["dependencies"].items()
        if not only or any(one in name for one in only)
    }
    (target / "package.json").write_text(json.dumps(wanted), "utf-8")
    options = ("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel", "error")
    session.run("npm", "install", "--prefix", str(target), *options, external=True)
    return str(target)


@nox.session
def hosts(session: nox.Session) -> None:
    """Connect the real claude, codex, gemini, opencode and qwen to what `parallel-mcp install` wrote (1.6 GB).

    `nox -s hosts -- qwen-code` tries only that one (150 MB).
    """
    session.install("-e", ".[test]")
    environ = {"HOSTS_NODE_DIR": _npm(session, "tests/hosts", *session.posargs)}
    # Nox tags its environments as a cache, and `install` refuses to point a host into one.
    Path(".nox", "CACHEDIR.TAG").unlink(missing_ok=True)
    chosen = ["-k", f"connects and {session.posargs[0]}"] if session.posargs else []
    session.run("pytest", "-q", "-n", "2", "tests/hosts", *chosen, env=environ)


@nox.session
def bundles(session: nox.Session) -> None:
    """Rehearse a release; unpack its bundle and ask it a question; lint the container's files; check all texts."""
    session.install("-e", ".[test]", "uv", "build", "twine")
    cache = session.run("uv", "cache", "dir", silent=True) or ""
    environ = {"BUNDLES_NODE_DIR": _npm(session, "tests/bundles"), "UV_CACHE_DIR": cache.strip()}
    session.run("python", "-m", "tests.bundles.release", env=environ)
    session.run("pytest", "-q", "-n", "2", "tests/bundles", *session.posargs, env=environ)


@nox.session
def judges(session: nox.Session) -> None:
    """Public linters and scanners for MCP servers, plugins and skills."""
    session.install("-e", ".[test]", "uv")
    session.run("python", "-m", "tests.end_to_end.judges")


@nox.session
def release(session: nox.Session) -> None:
    """A release in dist/ without publishing; `nox -s release -- vX.Y.Z` also checks the tag."""
    session.install("-e", ".[test]", "uv", "build", "twine")
    node = _npm(session, "tests/bundles")
    session.run("python", "-m", "tests.bundles.release", *session.posargs, env={"BUNDLES_NODE_DIR": node})


@nox.session
def pictures(session: nox.Session) -> None:
    """Pictures of the command line in a real terminal; also as PNG in a folder, if one is given."""
    session.install("-e", ".")
    session.run("python", "docs/pictures/take.py", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the pages in site/ and check every link between them."""
    session.install("zensical>=0.0.73,<0.2", "linkchecker>=10.6,<11")
    pages = Path("build", "pages")
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir(parents=True)
    for source in ("README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md", "LICENSE"):
        shutil.copy(source, pages)
    for folder in ("docs", "examples"):
        shutil.copytree(folder, pages / folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    session.run("zensical", "build", "--clean", "--strict")
    session.run("linkchecker", "--no-status", "site/index.html")
