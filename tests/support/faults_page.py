"""Writes docs/faults.md from the table of faults."""

import sys
from itertools import groupby

from tests.support.faults import FAULTS, Fault, Outcome

HEAD = """# What goes wrong upstream, and what a caller gets

Written by `python -m tests.support.faults_page > docs/faults.md` from the table that the tests run; a test fails if
this page is out of date. Each row is tested on a real socket, with streamed and unstreamed requests.

- An **error** is a tool result with `isError`, whose text says what happened and what to do next.
- **Cut short** and **garbled** answers say so in their `warnings`. What arrived was paid for, so it is returned, but
  never passed off as complete, and an answer that is cut short is never reused for the same question.
- **May be billed** is what the error says. An answer, complete or not, counts at its price.
- **Requests** counts all requests sent. A request is repeated only if it certainly never started (no connection) or
  was refused (429, 5xx): there are 3 attempts, with growing pauses and as `retry-after` asks. A gateway's timeout
  (504, 524) after more than 10 seconds is not a refusal: the request may be billed and is not repeated.

| What happens | What a caller gets | May be billed | Requests |
|---|---|---|---|
"""


def page() -> str:
    """The complete page."""
    rows = [_row(group, next(iter(faults))) for group, faults in groupby(FAULTS, lambda fault: fault.group)]
    return HEAD + "\n".join(rows) + "\n"


def _row(group: str, fault: Fault) -> str:
    billed = ("yes" if fault.may_be_billed else "no") if isinstance(fault.streamed, type) else "counted"
    attempts = "1 attempt" if fault.tries == 1 else f"{fault.tries} attempts"
    requests = str(fault.tries) if fault.place == "answering" else f"none, in {attempts}"
    got = _said(fault.streamed)
    if fault.unstreamed != fault.streamed:
        got = f"streamed: {got}; not streamed: {_said(fault.unstreamed)}"
    return f"| {group[0].upper()}{group[1:]} | {got} | {billed} | {requests} |"


def _said(outcome: Outcome) -> str:
    if isinstance(outcome, type):
        return f"error `{outcome.kind}`: {outcome.headline}"
    return "the answer" if outcome == "whole" else f"the answer, {outcome}"


if __name__ == "__main__":
    sys.stdout.write(page())
