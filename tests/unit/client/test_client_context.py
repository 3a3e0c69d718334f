"""Which server, with which token, and that a token never goes to the wrong one."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.client.context import Context, Contexts, path_of, read, resolve, write
from railyard.errors import ConfigurationError


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = Contexts(
        "prod", {"local": Context("http://127.0.0.1:8787", "ry_l"), "prod": Context("https://r.example", "ry_p")}
    )
    found = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    write(path_of(found), kept)
    return found


def test_the_context_file_is_for_its_owner_alone(environ: dict[str, str]) -> None:
    path = path_of(environ)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["config.toml"]


def test_without_anything_the_server_of_this_computer_is_meant(tmp_path: Path) -> None:
    target = resolve(environ={"XDG_CONFIG_HOME": str(tmp_path)})
    assert (target.url, target.url_from, target.token, target.token_from) == (
        "http://127.0.0.1:8787",
        "default",
        None,
        "nowhere",
    )


def test_flags_win_over_variables_and_variables_over_contexts(environ: dict[str, str]) -> None:
    assert resolve(environ=environ).url == "https://r.example"
    assert resolve(environ=environ).token == "ry_p"
    variables = {**environ, "RAILYARD_URL": "http://e:1", "RAILYARD_TOKEN": "ry_e"}
    by_variable = resolve(environ=variables)
    assert (by_variable.url, by_variable.url_from, by_variable.token_from) == (
        "http://e:1",
        "RAILYARD_URL",
        "RAILYARD_TOKEN",
    )
    by_flag = resolve("http://f:1", "ry_f", environ=variables)
    assert (by_flag.url_from, by_flag.token, by_flag.token_from) == ("flag", "ry_f", "flag")


def test_a_kept_token_goes_to_its_own_server_only(environ: dict[str, str]) -> None:
    assert resolve("https://elsewhere.example", environ=environ).token is None
    assert resolve("http://127.0.0.1:8787/", environ=environ).token == "ry_l"
    assert resolve(environ={**environ, "RAILYARD_URL": "https://elsewhere.example"}).token is None


def test_tokens_show_in_no_repr(environ: dict[str, str]) -> None:
    assert "ry_" not in repr(resolve(environ=environ)) + repr(read(path_of(environ)))


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.text(st.characters(codec="utf-8"), min_size=1))
def test_whatever_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, name: str, token: str) -> None:
    path = tmp_path_factory.mktemp("c") / "config.toml"
    kept = Contexts(name, {name: Context("http://h:1", token)})
    write(path, kept)
    assert read(path) == kept


@pytest.mark.parametrize("text", ["not toml", "[contexts.a]\n", 'contexts = "x"', "[contexts]\na = 1"])
def test_a_damaged_file_says_how_to_go_on(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read(path)
    assert "railyard login" in caught.value.mend
