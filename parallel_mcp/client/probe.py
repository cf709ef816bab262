"""An empty request, which costs nothing and tells whether the endpoint is there and takes the key."""

import anyio
import httpx2

from parallel_mcp import chat
from parallel_mcp.client.api_key import ApiKey
from parallel_mcp.client.failures import LOWER_ERRORS, map_exception, retry_after_seconds
from parallel_mcp.client.reading import read_error_body
from parallel_mcp.errors import UpstreamError

PROBE_SECONDS = 10.0
"""How long it may take to find out whether a key is taken."""

INCONCLUSIVE = frozenset({401, 403, 429, 502, 503, 504, 524, 529})
"""Answers to an empty request that leave it open whether the key is taken, or say that it is not."""


async def probe(http: httpx2.AsyncClient, key: str) -> tuple[int | None, UpstreamError | None]:
    """What the endpoint says to a request with nothing in it, which costs nothing: its status and its refusal.

    No status where it could not be asked within `PROBE_SECONDS`; no refusal where it did not refuse.
    The error is returned and not raised from what caused it, which holds the key.
    """
    secret = ApiKey(key)
    del key
    try:
        with anyio.fail_after(PROBE_SECONDS):
            headers = secret.bearer() if secret.value else {}
            async with http.stream("POST", "/chat/completions", json={}, headers=headers) as response:
                status, said, after = (
                    response.status_code,
                    await read_error_body(response),
                    retry_after_seconds(response),
                )
    except UpstreamError as error:
        return None, error
    except LOWER_ERRORS as error:
        failure = map_exception(error, PROBE_SECONDS)
        failure.may_be_billed = False
        return None, failure
    refused = None if status < 300 else chat.refusal(status, said, after, hide=secret.hide)
    return status, refused
