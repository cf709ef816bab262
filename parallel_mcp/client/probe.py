"""An empty request, which costs nothing and shows whether the endpoint is there and accepts the key."""

import anyio
import httpx2

from parallel_mcp import chat
from parallel_mcp.client.api_key import ApiKey
from parallel_mcp.client.failures import LOWER_ERRORS, map_exception, retry_after_seconds
from parallel_mcp.client.reading import read_error_body
from parallel_mcp.errors import UpstreamError

PROBE_SECONDS = 10.0
"""How long checking a key may take."""

KEY_ACCEPTED = frozenset({400, 402, 422})
"""Refusals of an empty request that show that the key was accepted. All others come from gateways and failures too."""


async def probe(http: httpx2.AsyncClient, key: str) -> tuple[int | None, UpstreamError | None]:
    """Send an empty request, which costs nothing, and return the status and the refusal.

    The status is None if there was no response within `PROBE_SECONDS`; the refusal is None if there was none.
    The error is returned rather than raised from its cause, which holds the key.
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
    refused = None if status < 300 else chat.refusal(status, said, after, hide=secret.hide, may_be_billed=False)
    return status, refused
