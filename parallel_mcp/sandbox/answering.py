"""The engine for a corpus, created once, and its replies to the questions of a conversation."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import anyio
import anyio.to_thread

from parallel_mcp.sandbox.documents import folders_of, gather
from parallel_mcp.sandbox.engine import Earlier, Engine
from parallel_mcp.sandbox.fields import Reply, reply
from parallel_mcp.sandbox.index import Progress, open_index
from parallel_mcp.sandbox.options import SandboxOptions
from parallel_mcp.sandbox.requests import ChatRequest
from parallel_mcp.sandbox.schema import SchemaError, check
from parallel_mcp.sandbox.wire import Refusal

REMEMBERED = 4  # earlier questions of a conversation that are considered
QUESTION = 2_000  # characters kept of an earlier question
THREADS = 4  # concurrent searches; more would only wait for each other


def prepare(options: SandboxOptions, progress: Progress | None = None) -> Engine:
    """The engine for the corpus in the options. Raises ValueError if a folder does not exist.

    Indexing a large folder is slow, but happens once: the next call, in any process, finds the index in the cache.
    """
    return _engine(options.corpus, progress) if folders_of(options.corpus) else _fixed(options.corpus)


@lru_cache(maxsize=2)
def _fixed(corpus: tuple[str | Path, ...]) -> Engine:
    # Installed packages do not change while a process runs.
    return _engine(corpus)


def _engine(corpus: Sequence[str | Path], progress: Progress | None = None) -> Engine:
    return Engine(open_index(*gather(corpus), progress))


class Engines:
    """The engine of an app, created in a worker thread at the first question."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._engine: Engine | None = None
        self._making = anyio.Lock()
        self._threads = anyio.CapacityLimiter(THREADS)

    async def reply(self, asked: ChatRequest, earlier: Earlier | None) -> tuple[Reply, Earlier]:
        """Answer in a worker thread. Raises Refusal (422) for a schema that the research models do not accept."""
        async with self._making:
            if self._engine is None:
                self._engine = await anyio.to_thread.run_sync(prepare, self._options)
            engine = self._engine
        return await anyio.to_thread.run_sync(
            lambda: _reply(engine, asked, earlier), limiter=self._threads, abandon_on_cancel=True
        )


def _reply(engine: Engine, asked: ChatRequest, earlier: Earlier | None) -> tuple[Reply, Earlier]:
    """The reply, and what a follow-up needs to know about it."""
    schema = asked.schema_asked
    if schema is not None and asked.model != "speed":
        try:
            check(schema)
        except SchemaError as error:
            raise Refusal(422, f"response_format.json_schema.schema: {error}") from error
    *before, question = asked.questions
    for each in before[-REMEMBERED:]:
        earlier = _after(each, engine.search(each, asked.model, earlier).urls, earlier)
    made = reply(engine, question, earlier, asked.model, schema, json_object=asked.wants_json)
    return made, _after(question, made.urls, earlier)


def _after(question: str, urls: tuple[str, ...], earlier: Earlier | None) -> Earlier:
    """What to remember of a question. A follow-up that found nothing keeps the earlier documents."""
    return Earlier(question[:QUESTION], urls or (earlier.urls if earlier else ()))
