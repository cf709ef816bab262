"""Settings from a given environment, from flags and from files."""

import sys
from pathlib import Path

import pytest

from parallel_mcp.settings import SECRETS, Settings, SettingsError, fields, is_redis, read, variable

SECRET = "sk-very-secret-value"


def test_flags_win_over_the_environment() -> None:
    settings, _ = read({"PARALLEL_MCP_WAIT_SECONDS": "10", "PARALLEL_BASE_URL": "http://a"}, {"wait_seconds": 20})
    assert (settings.wait_seconds, settings.base_url) == (20, "http://a")


def test_an_empty_key_means_none() -> None:
    assert read({"PARALLEL_API_KEY": " "})[0].api_key is None


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET + "\n")
    settings, warnings = read({"PARALLEL_API_KEY_FILE": str(file)})
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == SECRET
    assert not warnings


def test_a_file_that_cannot_be_read_is_named_by_its_variable(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert "PARALLEL_API_KEY_FILE" in (read({"PARALLEL_API_KEY_FILE": missing})[0].key_fault or "")
    with pytest.raises(SettingsError, match="PARALLEL_MCP_ACCESS_TOKENS_FILE"):
        read({"PARALLEL_MCP_ACCESS_TOKENS_FILE": missing})


def test_a_key_that_was_kept_is_used_where_the_environment_names_none(tmp_path: Path) -> None:
    kept = tmp_path / "api_key"
    kept.write_text("kept-key\n")
    kept.chmod(0o600)
    for environ, used in (
        ({}, "kept-key"),
        ({"PARALLEL_API_KEY": ""}, "kept-key"),
        ({"PARALLEL_API_KEY": "own"}, "own"),
    ):
        settings, warnings = read(environ, {}, kept)
        assert settings.api_key is not None and settings.api_key.get_secret_value() == used
        assert not warnings
    assert read({}, {}, tmp_path / "none")[0].api_key is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_kept_key_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    kept = tmp_path / "api_key"
    kept.write_text("kept-key\n")
    kept.chmod(0o644)
    _, (warning,) = read({}, {}, kept)
    assert f"chmod 600 {kept}" in warning and "kept-key" not in warning


@pytest.mark.parametrize("left", ["$PARALLEL_API_KEY", "${PARALLEL_API_KEY}", "${user_config.api_key}", "{env:X}"])
def test_a_variable_that_a_host_did_not_fill_in_is_no_key(left: str) -> None:
    assert read({"PARALLEL_API_KEY": left})[0].api_key is None


def test_an_unknown_name_is_warned_about_with_the_nearest_known_one() -> None:
    _, warnings = read({"PARALLEL_MCP_WAIT_SECOND": "1"})
    assert warnings == [
        "PARALLEL_MCP_WAIT_SECOND is not a setting of parallel-mcp and is ignored; "
        "did you mean PARALLEL_MCP_WAIT_SECONDS?"
    ]


@pytest.mark.parametrize("name", sorted(fields()))
def test_an_error_names_the_variable_and_never_prints_the_value(name: str) -> None:
    wrong = f"{SECRET}\x01 {SECRET}"
    try:
        read({variable(name): wrong})
    except SettingsError as error:
        assert variable(name) in str(error)
        assert SECRET not in str(error)
        assert SECRET not in repr(error)
        assert error.__cause__ is None


def test_secrets_do_not_show_in_the_settings() -> None:
    settings, _ = read({"PARALLEL_API_KEY": SECRET, "PARALLEL_MCP_ACCESS_TOKENS": f"me:{SECRET}"})
    assert SECRET not in repr(settings)
    assert SECRET not in settings.model_dump_json()


def test_tokens_and_keys_of_callers_exclude_each_other() -> None:
    with pytest.raises(SettingsError, match="cannot be combined"):
        read({"PARALLEL_MCP_ACCESS_TOKENS": "me:x", "PARALLEL_MCP_BRING_YOUR_OWN_KEY": "true"})


def test_the_sandbox_keeps_its_research_in_memory_unless_a_store_is_named() -> None:
    assert Settings(sandbox=True).store_url.endswith("sandbox.sqlite3")
    assert Settings(sandbox=True, store="/a/b").store_url == "/a/b"
    assert Settings().store_url.endswith("research.sqlite3")


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ("ann:same, bob:same", "two callers have the same token"),
        ("ann:a, ann:b", "the same name is given twice"),
        ("local:a", "reserved"),
    ],
)
def test_two_callers_can_not_be_one(tokens: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read({"PARALLEL_MCP_ACCESS_TOKENS": tokens})


def test_an_empty_variable_leaves_the_file_its_say(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    settings, _ = read({"PARALLEL_API_KEY": "", "PARALLEL_API_KEY_FILE": str(tmp_path / "key")})
    assert settings.api_key is not None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("PARALLEL_BASE_URL", "https://api.parallel.ai:x"),
        ("PARALLEL_BASE_URL", "api.parallel.ai"),
        ("PARALLEL_MCP_RETENTION_DAYS", "inf"),
        ("PARALLEL_MCP_SHUTDOWN_SECONDS", "inf"),
        ("PARALLEL_MCP_DAILY_BUDGET_USD", "nan"),
        ("PARALLEL_MCP_REUSE_SECONDS", "inf"),
    ],
)
def test_values_that_would_fail_later_are_refused_at_once(name: str, wrong: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read({name: wrong})


def test_a_store_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SettingsError, match="PARALLEL_MCP_STORE: write a file's path"):
        read({"PARALLEL_MCP_STORE": "postgres://host/db"})
    assert read({"PARALLEL_MCP_STORE": "redis://host"})[0].store == "redis://host"


@pytest.mark.parametrize("scheme", ["Redis", "REDISS", "Unix"])
def test_the_case_of_a_scheme_does_not_matter(scheme: str) -> None:
    store = read({"PARALLEL_MCP_STORE": f"{scheme}://:Pass@Host:6379/0"})[0].store
    assert store == f"{scheme.lower()}://:Pass@Host:6379/0"
    assert is_redis(store)


def test_every_setting_has_a_row_in_the_readme() -> None:
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text("utf-8")
    for name, field in fields().items():
        assert f"| `{variable(name)}` |" in readme, name
        flag = "" if name in SECRETS else f"`--{name.replace('_', '-')}`"
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{variable(name)}` |"))
        assert flag in row
        assert field.description is not None
