"""The tree of errors is as drawn and safe to show, and has a place for every lower layer's error."""

import inspect
import re

import anyio
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_mcp import errors
from parallel_mcp.client.failures import LOWER_ERRORS, map_exception
from parallel_mcp.errors import ParallelError, UpstreamError
from parallel_mcp.text import clean

CLASSES = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, ParallelError)]
UPSTREAM = [item for item in CLASSES if issubclass(item, UpstreamError)]


def _drawn() -> dict[str, str | None]:
    """Each class in the docstring's tree, with its parent."""
    drawn: dict[str, str | None] = {}
    trail: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"(?P<branch>[ │├└─]*)(?P<name>[A-Z]\w+)(?:\s|$)", line)
        if found is None or ("Error" not in line and not found["branch"]):
            continue
        depth = len(found["branch"]) // 4
        trail[depth:] = [found["name"]]
        drawn[found["name"]] = trail[depth - 1] if depth else None
    return drawn


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    actual = {item.__name__: None if item is ParallelError else item.__bases__[0].__name__ for item in CLASSES}
    assert _drawn() == actual


def test_every_kind_is_named_once() -> None:
    kinds = [item.kind for item in CLASSES]
    assert len(set(kinds)) == len(kinds)


def _httpx2_errors() -> list[type[Exception]]:
    found = [item for _, item in inspect.getmembers(httpx2, inspect.isclass) if issubclass(item, Exception)]
    return [item for item in found if not issubclass(item, Warning)]


def _made(kind: type[Exception]) -> Exception:
    request = httpx2.Request("POST", "http://localhost")
    if issubclass(kind, httpx2.HTTPStatusError):
        return kind("broken", request=request, response=httpx2.Response(500))
    if issubclass(kind, httpx2.StreamError) and kind is not httpx2.StreamError:
        return kind()  # type: ignore[call-arg]
    return kind("broken")


@pytest.mark.parametrize("kind", _httpx2_errors(), ids=lambda kind: kind.__name__)
def test_every_error_of_httpx2_becomes_one_of_ours(kind: type[Exception]) -> None:
    assert issubclass(kind, LOWER_ERRORS)
    ours = map_exception(_made(kind), 5)
    assert type(ours) in {
        errors.ConnectFailed,
        errors.AnswerTimedOut,
        errors.ConnectionLost,
        errors.AnswerUnreadable,
    }
    assert ours.may_be_billed is (type(ours) is not errors.ConnectFailed)


def test_the_list_of_httpx2_errors_is_not_empty() -> None:
    assert {httpx2.ConnectError, httpx2.SSEError, httpx2.InvalidURL} <= set(_httpx2_errors())


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        (httpx2.ConnectError, errors.ConnectFailed),
        (httpx2.ConnectTimeout, errors.ConnectFailed),
        (httpx2.PoolTimeout, errors.ConnectFailed),
        (httpx2.ProxyError, errors.ConnectFailed),
        (httpx2.UnsupportedProtocol, errors.ConnectFailed),
        (httpx2.InvalidURL, errors.ConnectFailed),
        (httpx2.ReadTimeout, errors.AnswerTimedOut),
        (httpx2.WriteTimeout, errors.AnswerTimedOut),
        (httpx2.ReadError, errors.ConnectionLost),
        (httpx2.WriteError, errors.ConnectionLost),
        (httpx2.RemoteProtocolError, errors.ConnectionLost),
        (httpx2.DecodingError, errors.AnswerUnreadable),
    ],
)
def test_what_was_never_sent_is_told_apart_from_what_may_be_billed(
    kind: type[Exception], ours: type[UpstreamError]
) -> None:
    assert type(map_exception(_made(kind), 5)) is ours


def test_nothing_was_sent_whatever_failed_before_the_request_left() -> None:
    assert type(map_exception(TimeoutError(), 5, sent=False)) is errors.ConnectFailed
    assert type(map_exception(anyio.BrokenResourceError(), 5, sent=False)) is errors.ConnectFailed
    assert type(map_exception(anyio.BrokenResourceError(), 5, sent=True)) is errors.ConnectionLost


@pytest.mark.parametrize("kind", UPSTREAM, ids=lambda kind: kind.__name__)
@given(detail=st.text(), ref_id=st.text() | st.none(), status=st.integers(100, 599) | st.none())
def test_an_error_of_upstream_can_be_shown_whatever_it_says(
    kind: type[UpstreamError], detail: str, ref_id: str | None, status: int | None
) -> None:
    error = kind(detail, ref_id=ref_id, status=status)
    text = str(error)
    assert clean(text) == text
    assert kind.headline in text
    assert len(text) < 1500


def test_a_representation_has_none_of_upstreams_words() -> None:
    error = errors.RequestRefused("Why is it so?", status=422, ref_id="r-1")
    assert repr(error) == "RequestRefused(status=422, ref_id='r-1')"


def test_a_text_for_terminals_has_no_escapes_controls_or_reversals() -> None:
    assert clean("a\x1b[31mb\x9bc\u202ed\x00e\r\n\tf\ud800") == "a[31mbcde\n\tf"
    assert clean("x" * 50, 10) == "x" * 9 + "…"
