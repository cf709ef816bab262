"""Turns an unsuccessful status, or an error in place of an answer, into one of our errors."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from parallel_mcp import errors
from parallel_mcp.chat.values import decoded, dict_of, list_of, loaded, text_of
from parallel_mcp.errors import AnswerUnreadable, UpstreamError
from parallel_mcp.text import clean

Hide = Callable[[str], str]
"""Removes a secret from upstream's words before an error quotes them."""


def refusal(
    status: int,
    body: bytes,
    retry_after: float | None = None,
    *,
    hide: Hide = str,
    may_be_billed: bool | None = None,
) -> UpstreamError:
    """The error for an unsuccessful status. Reads all known kinds of error body.

    `may_be_billed` overrides what the status alone would tell.
    """
    if 300 <= status < 400:
        return AnswerUnreadable("it redirects to another address", status=status, may_be_billed=False)
    text = decoded(body)[0]
    if status in _GATEWAY and text.lstrip().startswith("<"):
        return errors.GatewayRefused(status=status)
    message, ref_id = _error_body(dict_of(loaded(text)), hide)
    kind = _REFUSALS.get(status)
    if kind is None:
        kind = errors.RequestRefused if 405 <= status < 500 else errors.ServiceFailed
    return kind(message, status=status, ref_id=ref_id, retry_after=retry_after, may_be_billed=may_be_billed)


_GATEWAY = frozenset({401, 403, 407})
"""Statuses that proxies and firewalls send with their own HTML page, where Parallel would send JSON."""

_REFUSALS: Mapping[int, type[UpstreamError]] = {
    400: errors.RequestRefused,
    401: errors.KeyRefused,
    402: errors.CreditRefused,
    403: errors.AccessRefused,
    404: errors.InteractionUnknown,
    408: errors.AnswerTimedOut,
    422: errors.RequestRefused,
    429: errors.RateRefused,
}


def error_in_answer(said: Mapping[str, Any], hide: Hide) -> UpstreamError:
    """The error that arrived in place of an answer, or in the middle of one."""
    message, ref_id = _error_body(said, hide)
    return errors.ServiceFailed(message, ref_id=ref_id, may_be_billed=True)


def _error_body(said: Mapping[str, Any], hide: Hide) -> tuple[str, str | None]:
    """The message and ref_id of an error body of Parallel, OpenAI or FastAPI. Empty for any other."""
    error = dict_of(said.get("error"))
    detail = error.get("detail") if error else said.get("detail")
    if error:
        message, more = text_of(error.get("message")) or "", _dumped(detail)
    elif isinstance(detail, list):
        message, more = "; ".join(_place(dict_of(item)) for item in detail[:5]), ""
    else:
        message, more = text_of(detail) or text_of(said.get("message")) or text_of(said.get("error")) or "", ""
    ref_id = text_of(error.get("ref_id")) or text_of(said.get("ref_id"))
    shown = " ".join(part for part in (hide(clean(message)), hide(clean(more))[:300]) if part)
    return shown, hide(clean(ref_id)) if ref_id else None


def _dumped(detail: Any) -> str:
    if detail in (None, "", {}, []):
        return ""
    try:
        return detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
    except RecursionError:
        return ""


def _place(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in list_of(item.get("loc")) if part != "body")
    return f"{where}: {text_of(item.get('msg')) or 'invalid'}" if where else text_of(item.get("msg")) or "invalid"


def object_of(text: str, hide: Hide) -> dict[str, Any]:
    """Read a JSON object. Raises AnswerUnreadable, or the error that the object describes."""
    found = loaded(text)
    if not isinstance(found, dict):
        raise unreadable(text, found, hide)
    if found.get("error"):
        raise error_in_answer(found, hide)
    return found


def unreadable(text: str, found: Any, hide: Hide) -> AnswerUnreadable:
    """The error for a text that is not a JSON object. `found` is its JSON value, or None."""
    if found is not None:
        return AnswerUnreadable("it is JSON, but not an object")
    begins = hide(clean(text[:_MOST_QUOTED]))[:80]
    return AnswerUnreadable(f"it is not JSON and starts with “{begins}”")


_MOST_QUOTED = 4096
