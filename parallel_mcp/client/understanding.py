"""Parses and checks a reply.

A small one is handled on the event loop, a larger one in a thread, and a huge one, or one with a schema, in a process,
which can be killed.
"""

import logging
import os
from functools import partial

import anyio
import anyio.to_thread
from anyio import BrokenWorkerProcess

from parallel_mcp import chat, processes
from parallel_mcp.models import Answer, Question

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 30.0
"""How long checking an answer may take, with the start of a process; a malicious schema could take hours."""

SMALL_BYTES = 8 * 1024
"""Responses below this size are parsed on the event loop, which takes 30 ms at worst."""

BIG_BYTES = 512 * 1024
"""From this size, responses are parsed in a process: a thread would hold the GIL for each long operation."""

SLOTS = anyio.CapacityLimiter(os.cpu_count() or 2)

LAST_SECONDS = 0.4
"""How long a cancelled call may take to return its answer unchecked. 32 MB take as long."""


async def understand(
    question: Question,
    reading: chat.Reading,
    *,
    broken: bool,
    answer_citations: bool,
    cost_usd: float | None,
    seconds: float,
    deadline: float = DEADLINE_SECONDS,
) -> Answer | None:
    """The answer, or None if the response was cut off before its first word.

    If checking takes longer than the deadline, or is cancelled, the answer is returned unchecked. Raises UpstreamError.
    """
    read = partial(
        _understood, question, reading, broken, answer_citations=answer_citations, cost_usd=cost_usd, seconds=seconds
    )
    if question.output_schema is None and reading.size < SMALL_BYTES:
        return read(check=True)
    if question.output_schema is None and reading.size < BIG_BYTES:
        # Shielded, so that a cancellation does not lose an answer that has arrived.
        with anyio.CancelScope(shield=True):
            return await anyio.to_thread.run_sync(partial(read, check=True))
    # A process costs half a second more than a thread, once, but a thread cannot be killed, and holds the GIL.
    for check in (True, False):
        try:
            within = deadline if check and question.output_schema is not None else None
            return await processes.run(partial(read, check=check), SLOTS, within)
        except TimeoutError:
            logger.warning("An answer could not be checked in time")
        except (BrokenWorkerProcess, OSError) as error:
            logger.warning("No process could be started to parse an answer (%s)", type(error).__name__)
            break
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(LAST_SECONDS, shield=True):
                return await anyio.to_thread.run_sync(partial(read, check=False), abandon_on_cancel=True)
            raise
    return await anyio.to_thread.run_sync(partial(read, check=False))


def _understood(
    question: Question,
    reading: chat.Reading,
    broken: bool,
    *,
    answer_citations: bool,
    cost_usd: float | None,
    seconds: float,
    check: bool,
) -> Answer | None:
    reply = reading.cut() if broken else reading.reply()
    if reply is None:
        return None
    return chat.answer(
        question, reply, answer_citations=answer_citations, cost_usd=cost_usd, seconds=seconds, check=check
    )
