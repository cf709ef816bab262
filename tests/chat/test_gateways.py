"""Real pages of gateways, firewalls and proxies, where Parallel would respond with JSON."""

import pytest

from parallel_mcp import errors
from parallel_mcp.chat import refusal

PAGES = {
    "nginx": b"<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center>"
    b"\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    "cloudflare": b'<!DOCTYPE html>\n<!--[if lt IE 7]> <html class="no-js ie6 oldie" lang="en-US"> <![endif]-->\n'
    b"<title>Attention Required! | Cloudflare</title>",
    "squid": b'\n\n<!DOCTYPE html PUBLIC "-//W3C//DTD HTML 4.01//EN">\n<title>ERROR: Cache Access Denied</title>',
    "s3": b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
}


@pytest.mark.parametrize("status", [401, 403, 407])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_a_gateways_and_says_nothing_about_the_key(status: int, page: str) -> None:
    error = refusal(status, PAGES[page])
    assert isinstance(error, errors.GatewayRefused)
    assert "API key is not the cause" in str(error)
    assert "<" not in str(error)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"error": {"message": "Invalid"}}', b'{"detail": "No"}'])
def test_json_or_nothing_is_parallels_own_refusal(body: bytes) -> None:
    assert isinstance(refusal(401, body), errors.KeyRefused)
    assert isinstance(refusal(403, body), errors.AccessRefused)
