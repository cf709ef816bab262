"""Maps the exceptions of lower layers to our errors, and decides whether a request may be retried."""

import math
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import anyio
import httpx2

from parallel_mcp import errors
from parallel_mcp.client.transport import CONNECT_SECONDS
from parallel_mcp.errors import UpstreamError


def retry_wait(error: Exception, most_seconds: float) -> bool | float:
    """Whether to retry the request, or after how many seconds; False if that is more than `most_seconds`."""
    if isinstance(error, errors.ConnectFailed):
        return not error.lasting
    if not isinstance(error, errors.RateRefused | errors.ServiceFailed) or error.may_be_billed:
        return False
    if error.retry_after is None:
        return True
    return error.retry_after <= most_seconds and error.retry_after


LOWER_ERRORS = (
    OSError,  # includes TimeoutError, and ssl.SSLError, which httpcore2 lets through in mid-stream
    UnicodeError,  # from a host name that no resolver accepts
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    httpx2.CookieConflict,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
)
"""Everything that the lower layers raise when a request fails."""

_WRONG_URL = (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.LocalProtocolError, UnicodeError)

_NEVER_SENT = (*_WRONG_URL, httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)

_NOT_CHAT = (
    httpx2.SSEError,
    httpx2.DecodingError,
    httpx2.TooManyRedirects,
    httpx2.HTTPStatusError,
    httpx2.StreamError,
    httpx2.CookieConflict,
)


def map_exception(error: Exception, seconds: float, *, sent: bool = True) -> UpstreamError:
    """Our error for one of `LOWER_ERRORS`, or for the deadline of `seconds`.

    `sent` is False if it is known that nothing was sent. The messages of lower layers may contain URLs
    and are not repeated.
    """
    if isinstance(error, _NEVER_SENT) or not sent:
        return _not_connected(error, seconds)
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return errors.AnswerTimedOut(f"no whole answer within {seconds:g} s")
    if isinstance(error, _NOT_CHAT):
        return errors.AnswerUnreadable("its encoding is broken")
    return errors.ConnectionLost()


def _not_connected(error: Exception, seconds: float) -> errors.ConnectFailed:
    """The error for a failed connection. The reason is found in the chain of causes."""
    why, lasting = "the connection could not be made", False
    chain = causes(error)
    certificate = next((cause for cause in chain if isinstance(cause, ssl.SSLCertVerificationError)), None)
    if isinstance(error, httpx2.ProxyError):
        why = "the proxy refused the connection"
    elif isinstance(error, TimeoutError | httpx2.TimeoutException):
        why = f"no connection within {min(seconds, CONNECT_SECONDS):g} s"
    elif isinstance(error, _WRONG_URL):
        why, lasting = "PARALLEL_BASE_URL is not a usable URL", True
    elif certificate is not None:
        why, lasting = f"its certificate was not accepted ({certificate.verify_message})", True
    else:
        why = next((words for kind, words in _WHY.items() for cause in chain if isinstance(cause, kind)), why)
    failed = errors.ConnectFailed(why)
    failed.lasting = lasting
    return failed


_WHY: Mapping[type[BaseException], str] = {
    ssl.SSLError: "TLS could not be set up",
    socket.gaierror: "its name could not be resolved",
    ConnectionRefusedError: "the connection was refused",
}


def causes(error: BaseException) -> list[BaseException]:
    """An error and its causes, outermost first. A group is followed into its first member."""
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        grouped = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else None
        cause = grouped or cause.__cause__ or cause.__context__
    return found


def retry_after_seconds(response: httpx2.Response) -> float | None:
    """The seconds in the `retry-after` header, which may be a number or a date."""
    given = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(given)
    except ValueError:
        seconds = _seconds_until(given)
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    try:
        when = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return math.nan
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
