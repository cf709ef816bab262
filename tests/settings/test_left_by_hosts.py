"""What hosts, shells and editors leave in the environment is read as it was meant.

`placeholders.txt` is from public configurations of other servers, collected after the rule was written. What the rule
does not recognize is sent, and Parallel refuses it.
"""

import random
import string
from pathlib import Path

import pytest

from parallel_mcp.environment import is_placeholder
from parallel_mcp.settings import SettingsError, read
from parallel_mcp.settings.values import fits_a_header

PLACEHOLDERS = (Path(__file__).parent / "placeholders.txt").read_text("utf-8").splitlines()
NOT_RECOGNIZED = {"dummy", "seu-token-api"}

KEY = "vN3-sWq8_TzKf0RbY7xLd2HcJm5PgA1u"


def key_of(value: str) -> str | None:
    settings, _ = read({"PARALLEL_API_KEY": value})
    return settings.api_key.get_secret_value() if settings.api_key else None


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_a_placeholder_is_no_key(value: str) -> None:
    if value in NOT_RECOGNIZED:
        assert key_of(value) == value
        return
    settings, _ = read({"PARALLEL_API_KEY": value})
    assert settings.api_key is None
    assert settings.key_fault is not None
    assert "PARALLEL_API_KEY" in settings.key_fault
    assert value not in settings.key_fault or value == "..."


def test_no_random_key_is_taken_for_a_placeholder() -> None:
    made = random.Random(20261125)
    alphabets = (string.ascii_letters + string.digits, string.hexdigits.lower(), string.ascii_letters + "0123456789-_")
    for number in range(30_000):
        prefix = made.choice(("", "sk-", "pk_live_", "tvly-dev-", "parallel-", "prl_"))
        key = prefix + "".join(made.choices(alphabets[number % 3], k=made.randint(20, 64)))
        assert not is_placeholder(key), key


@pytest.mark.parametrize(
    "value",
    [
        f'"{KEY}"',
        f"'{KEY}'",
        f"“{KEY}”",
        f" {KEY}\r\n",
        f"Bearer {KEY}",
        f"bearer  {KEY}",
        f"Authorization: Bearer {KEY}",
        f"\ufeff{KEY}",
        f"PARALLEL_API_KEY={KEY}",
        f'export PARALLEL_API_KEY="{KEY}"\n',
        f"$env:PARALLEL_API_KEY='{KEY}'",
        f"# Parallel\nPARALLEL_API_KEY = {KEY}\n\nOTHER=1\n",
    ],
)
def test_a_key_is_read_as_it_is_meant(value: str, tmp_path: Path) -> None:
    assert key_of(value) == KEY
    (tmp_path / "key").write_text(value, "utf-8")
    settings, _ = read({"PARALLEL_API_KEY_FILE": f'"{tmp_path / "key"}"'})
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == KEY


def test_a_key_that_no_header_can_carry_is_not_sent_and_ends_nothing() -> None:
    settings, _ = read({"PARALLEL_API_KEY": f"{KEY}\n{KEY}"})
    assert settings.api_key is None
    assert "copy it again" in (settings.key_fault or "")
    assert fits_a_header(KEY)


def test_a_placeholder_leaves_the_kept_key_its_say(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text(KEY)
    settings, _ = read({"PARALLEL_API_KEY": "${PARALLEL_API_KEY}"}, {}, tmp_path / "api_key")
    assert settings.api_key is not None
    assert settings.key_fault is None


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("LOG_LEVEL", "info", "INFO"),
        ("LOG_LEVEL", "Warn", "WARNING"),
        ("MAX_MODEL", "Core", "core"),
        ("MAX_MODEL", '"lite"', "lite"),
        ("SANDBOX", "TRUE", True),
        ("SANDBOX", "Off", False),
        ("WAIT_SECONDS", "'20'", 20),
        ("STORE", ":memory:", "memory:"),
        ("STORE", "memory", "memory:"),
        ("STORE", "memory://", "memory:"),
        ("STORE", "C:\\Users\\me\\r.db", "C:\\Users\\me\\r.db"),
        ("STORE", "~/r.db", "~/r.db"),
        ("STORE", "redis://:pa%23ss@host:6379/0", "redis://:pa%23ss@host:6379/0"),
        ("STORE", "redis://:$ecret@host", "redis://:$ecret@host"),
    ],
)
def test_a_setting_is_read_as_it_is_meant(name: str, value: str, meant: object) -> None:
    settings, _ = read({f"PARALLEL_MCP_{name}": value})
    assert getattr(settings, name.lower()) == meant


def test_a_base_url_may_be_the_whole_address_of_the_api() -> None:
    settings, _ = read({"PARALLEL_BASE_URL": "https://api.parallel.ai/v1beta/chat/completions/"})
    assert settings.base_url == "https://api.parallel.ai/v1beta"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("${X}", "did not fill in"),
        ("${env:STORE}", "did not fill in"),
        ("$HOME/r.db", "did not fill in"),
        ("%APPDATA%\\r.db", "did not fill in"),
        ("redis:HOST", "write it as redis://"),
        ("redis://user:pa#ss@host", "# is written %23"),
        ("redis://user:pa?ss@host", "? %3F"),
        ("redis://user:pa/ss@host", "/ %2F"),
        ("redis://host:port", "write it as redis://"),
        ("redis://host?foo=bar", "write it as redis://"),
        ("postgres://host/db", "write a file's path"),
        ("file:r.db", "write a file's path"),
        ("sqlite:r.db", "write a file's path"),
        ("/", "write a file's path"),
        (".", "write a file's path"),
        ("sqlite:///", "write a file's path"),
    ],
)
def test_a_store_that_is_none_never_becomes_a_file_of_that_name(value: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read({"PARALLEL_MCP_STORE": value})
    assert "PARALLEL_MCP_STORE" in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.usable.store is None


def test_what_is_right_is_kept_beside_what_is_wrong() -> None:
    with pytest.raises(SettingsError) as caught:
        read({"PARALLEL_MCP_PORT": "http", "PARALLEL_MCP_MAX_MODEL": "lite", "PARALLEL_API_KEY": KEY})
    assert str(caught.value) == "PARALLEL_MCP_PORT: write a whole number"
    assert caught.value.usable.max_model == "lite"
    assert caught.value.usable.api_key is not None


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("SANDBOX", "maybe", "write true or false"),
        ("WAIT_SECONDS", "45s", "write a number"),
        ("PORT", "99999", "it must be less than or equal to 65535"),
        ("LOG_LEVEL", "loud", "write one of DEBUG, INFO, WARNING, ERROR"),
        ("MAX_MODEL", "huge", "write one of lite, base, core"),
        ("CORPUS", "/no/such/folder", "write the full path"),
    ],
)
def test_an_error_says_what_would_be_right(name: str, value: str, right: str) -> None:
    with pytest.raises(SettingsError, match=right):
        read({f"PARALLEL_MCP_{name}": value, "PARALLEL_MCP_SANDBOX": "true"} | {f"PARALLEL_MCP_{name}": value})


@pytest.mark.parametrize("tokens", [",", " , ", "\n"])
def test_tokens_that_name_nobody_let_nobody_in(tokens: str, tmp_path: Path) -> None:
    if tokens.strip():
        with pytest.raises(SettingsError, match="name:token"):
            read({"PARALLEL_MCP_ACCESS_TOKENS": tokens})
    (tmp_path / "tokens").write_text(tokens)
    with pytest.raises(SettingsError, match="PARALLEL_MCP_ACCESS_TOKENS"):
        read({"PARALLEL_MCP_ACCESS_TOKENS_FILE": str(tmp_path / "tokens")})


def test_plain_http_to_another_machine_is_warned_about() -> None:
    assert "plain http" in " ".join(read({"PARALLEL_BASE_URL": "http://gateway.example"})[1])
    for url in ("https://gateway.example", "http://127.0.0.1:8787", "http://localhost:8787", "http://[::1]:1"):
        assert read({"PARALLEL_BASE_URL": url})[1] == []


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({"PARALLEL_API_KEY": "${PARALLEL_API_KEY}"}, "PARALLEL_API_KEY holds a placeholder"),
        ({"PARALLEL_API_KEY_FILE": "/nowhere"}, "PARALLEL_API_KEY_FILE names a file that cannot be read"),
    ],
)
def test_a_saved_key_never_takes_the_place_of_another_silently(tmp_path: Path, left: dict[str, str], said: str) -> None:
    kept = tmp_path / "key"
    kept.write_text(KEY)
    kept.chmod(0o600)
    settings, warnings = read(left, kept_key=kept)
    assert settings.key_is_kept
    assert settings.key_fault is None
    [warning] = warnings
    assert warning.startswith(said)
    assert warning.endswith("The saved key is used instead")
    assert KEY not in warning
    assert not read({"PARALLEL_API_KEY": KEY}, kept_key=kept)[0].key_is_kept
