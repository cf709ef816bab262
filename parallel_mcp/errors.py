"""All errors, as one tree. `str(exc)` is safe to show to a model or a person.

```text
ParallelError
├── CallerError                 the call itself is wrong; nothing was sent
│   ├── ArgumentError           an argument, or a combination of them
│   ├── SchemaRefused           the caller's output_schema
│   └── UnknownResearch         no such research run for this caller
├── NotReady                    this server cannot send the question yet
│   ├── SettingsWrong           a setting cannot be understood
│   ├── KeyMissing
│   ├── ModelNotAllowed         above max_model
│   ├── BudgetReached           daily_budget_usd
│   ├── TooManyWorking          too many research runs of this caller in flight
│   ├── PacingFull              requests_per_minute, and the wait is too long
│   └── StoreFailed             the store cannot be opened, read or written
├── ResearchEnded               a research run that ended without an answer
└── UpstreamError               Parallel, or the network on the way to it
    ├── RequestRefused          400, 422
    ├── KeyRefused              401
    ├── CreditRefused           402
    ├── AccessRefused           403
    ├── GatewayRefused          401, 403 or 407 from a proxy or firewall
    ├── InteractionUnknown      404
    ├── RateRefused             429
    ├── ServiceFailed           5xx, or an error instead of an answer
    ├── ConnectFailed           nothing was sent: DNS, TCP, TLS, proxy
    ├── AnswerTimedOut          sent, but nothing came back in time; 408
    ├── ConnectionLost          sent, but the connection broke before the answer
    └── AnswerUnreadable        sent, but the response is not a Chat answer
```
"""

from functools import partial
from typing import Any, ClassVar

from parallel_mcp.text import clean

_QUOTED_CHARS = 500


class ParallelError(Exception):
    """The base class. `kind` is a stable name for metrics and history."""

    kind: ClassVar[str] = "error"
    may_be_billed: bool = False

    def __str__(self) -> str:
        """What happened and what to do next, for a model or a person."""
        return str(self.args[0]) if self.args else self.kind


class CallerError(ParallelError):
    """The call itself is wrong; nothing was sent and nothing was billed."""

    kind = "bad_call"


class ArgumentError(CallerError):
    """An argument is missing, unknown or of the wrong type, or conflicts with another."""

    kind = "bad_argument"


class SchemaRefused(CallerError):
    """The caller's output_schema would be refused upstream, or is unsafe. Names the place."""

    kind = "bad_schema"


class UnknownResearch(CallerError):
    """The caller has no research run with that id."""

    kind = "unknown_research"

    def __init__(self, research_id: str) -> None:
        super().__init__(
            f"There is no research run {clean(research_id, 80)!r}: the id is wrong, or the run was deleted. "
            "Call deep_research with the question to start a new one."
        )


class NotReady(ParallelError):
    """The question was not sent, because the server is not able or not allowed to send it now."""

    kind = "not_ready"


class SettingsWrong(NotReady):
    """A setting of this server cannot be understood."""

    kind = "settings"

    def __init__(self, fault: str) -> None:
        super().__init__(
            f"Nothing was sent, because this server's settings are wrong: {fault}. "
            "Correct that where this server is configured, and restart it."
        )


class KeyMissing(NotReady):
    """No Parallel API key is configured, or none that can be sent; `fault` says why not."""

    kind = "no_key"

    def __init__(self, fault: str | None = None) -> None:
        if fault is not None:
            super().__init__(f"No usable Parallel API key is set: {fault}. Then restart this server.")
            return
        super().__init__(
            "No Parallel API key is set: run `parallel-mcp key set`, or set PARALLEL_API_KEY in this server's "
            "environment, and restart it; or start it with --sandbox to try it with answers from local documents only."
        )


class ModelNotAllowed(NotReady):
    """The model is above max_model."""

    kind = "model_not_allowed"

    def __init__(self, model: str, most: str) -> None:
        super().__init__(
            f"This server does not allow the model {model}: PARALLEL_MCP_MAX_MODEL is {most}. "
            f"Ask again with model={most} or a smaller one."
        )


class BudgetReached(NotReady):
    """The call would exceed the day's budget. Amounts are in US dollars."""

    kind = "budget_reached"

    def __init__(self, budget: float, spent: float, price: float) -> None:
        super().__init__(
            f"Not sent: this call costs ${price:.3f}, and ${spent:.3f} of today's ${budget:.2f} budget "
            "(PARALLEL_MCP_DAILY_BUDGET_USD) is spent. Raise the budget or wait until 00:00 UTC."
        )


class TooManyWorking(NotReady):
    """One caller's research runs in flight have reached the store's limit, in number or in size."""

    kind = "too_many_working"

    def __init__(self, runs: int) -> None:
        super().__init__(
            f"Not sent: you already have {runs} research runs in flight, which is the limit for one caller. "
            "Wait for some of them, or stop them with cancel=true and their research_id."
        )


class PacingFull(NotReady):
    """Waiting for requests_per_minute to allow another request would take too long."""

    kind = "pacing_full"

    def __init__(self, per_minute: int, seconds: float) -> None:
        super().__init__(
            f"Not sent: the limit of {per_minute} requests a minute is reached (PARALLEL_MCP_REQUESTS_PER_MINUTE), "
            f"and the next request can go out in {seconds:.0f} s. Nothing was billed; try again then."
        )


class StoreFailed(NotReady):
    """The store cannot be opened, read or written."""

    kind = "store_failed"


class ResearchEnded(ParallelError):
    """The research run failed, or was interrupted or cancelled."""

    kind = "research_ended"


class UpstreamError(ParallelError):
    """Parallel refused or failed, or could not be reached.

    `status` is the HTTP status or None; `ref_id` is Parallel's reference for its support team;
    `retry_after` is in seconds, if the response gave one.
    """

    kind = "upstream"
    headline: ClassVar[str] = "Parallel did not answer"
    advice: ClassVar[str] = "Try again later."

    def __init__(
        self,
        detail: str = "",
        *,
        status: int | None = None,
        ref_id: str | None = None,
        retry_after: float | None = None,
        may_be_billed: bool | None = None,
    ) -> None:
        self.detail = clean(detail, _QUOTED_CHARS).strip()
        self.status = status
        self.ref_id = clean(ref_id, 100) if ref_id else None
        self.retry_after = retry_after
        if may_be_billed is not None:
            self.may_be_billed = may_be_billed
        super().__init__(self._words())

    def __reduce__(self) -> tuple[Any, ...]:
        """What another process needs to recreate the error."""
        names = ("status", "ref_id", "retry_after", "may_be_billed")
        return partial(type(self), self.detail, **{name: getattr(self, name) for name in names}), ()

    def __repr__(self) -> str:
        """Leaves out upstream's message: a repr ends up in logs, and upstream may repeat the question."""
        return f"{type(self).__name__}(status={self.status}, ref_id={self.ref_id!r})"

    def _words(self) -> str:
        head = self.headline + (f" (HTTP {self.status})" if self.status else "")
        said = f": {self.detail.rstrip('.')}." if self.detail else "."
        billed = " It may have been billed." if self.may_be_billed else ""
        ref = f" Parallel's reference for support: {self.ref_id}." if self.ref_id else ""
        return f"{head}{said} {self.advice}{billed}{ref}"


class RequestRefused(UpstreamError):
    """400 or 422: the request itself is wrong."""

    kind = "refused"
    headline = "Parallel refused the request"
    advice = "Change the question, instructions or output_schema accordingly; the same call would fail again."


class KeyRefused(UpstreamError):
    """401."""

    kind = "wrong_key"
    headline = "Parallel refused the API key"
    advice = (
        "Calling again will not help: set a valid key, as PARALLEL_API_KEY where this server runs, "
        "or in the request header if callers bring their own."
    )


class CreditRefused(UpstreamError):
    """402."""

    kind = "no_credit"
    headline = "The Parallel account has no credit left"
    advice = "The account's owner must add credit; calling again will not help."


class AccessRefused(UpstreamError):
    """403."""

    kind = "not_allowed"
    headline = "Parallel does not allow this key to do that"
    advice = "Try a smaller model, or ask the account's owner for access."


class GatewayRefused(UpstreamError):
    """401, 403 or 407 with a web page instead of JSON: it is not from Parallel, so the key may be fine."""

    kind = "gateway"
    headline = "A gateway or proxy on the way to Parallel refused the request"
    advice = (
        "The API key is not the cause. Check the proxy variables, the network's firewall and PARALLEL_BASE_URL where "
        "this server runs; `parallel-mcp doctor` shows what is set."
    )


class InteractionUnknown(UpstreamError):
    """404: the earlier interaction or the path is unknown."""

    kind = "not_found"
    headline = "Parallel found nothing there"
    advice = "If follow_up_to was given, call again without it; otherwise check PARALLEL_BASE_URL."


class RateRefused(UpstreamError):
    """429, even after retries."""

    kind = "rate_limited"
    headline = "Parallel is rate-limiting this account"
    advice = "Wait a minute, then call again; nothing was billed."


class ServiceFailed(UpstreamError):
    """5xx, even after retries; or an error instead of an answer or in the middle of one."""

    kind = "service_failed"
    headline = "Parallel's service failed"
    advice = "Nothing is wrong with the question; try again in a minute."


class ConnectFailed(UpstreamError):
    """Nothing was sent: DNS, connection, proxy or certificate. `lasting` if trying again cannot help."""

    kind = "connect_failed"
    lasting: bool = False
    headline = "Parallel could not be reached"
    advice = (
        "Nothing was sent or billed. Check the network, proxy and certificates (parallel-mcp doctor), then call again."
    )


class AnswerTimedOut(UpstreamError):
    """The request was sent, but no answer came in time; or Parallel answered 408."""

    kind = "timed_out"
    may_be_billed = True
    headline = "Parallel did not answer in time"
    advice = "It is not retried automatically. Call again only if you still want the answer."


class ConnectionLost(UpstreamError):
    """The request was sent, but the connection broke before the answer was complete."""

    kind = "connection_lost"
    may_be_billed = True
    headline = "The connection to Parallel broke before the answer was complete"
    advice = "It is not retried automatically. Call again only if you still want the answer."


class AnswerUnreadable(UpstreamError):
    """The request was sent, but the response cannot be read as a Chat answer."""

    kind = "unreadable"
    may_be_billed = True
    headline = "The response is not a Chat API answer"
    advice = "Check that PARALLEL_BASE_URL is right and that no proxy answers instead."
