"""The home folder: one server at a time, secrets for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from railyard.control.home import Home, Running
from railyard.errors import ConfigurationError


def _running(pid: int, start_time: float) -> Running:
    return Running(url="http://127.0.0.1:1", pid=pid, start_time=start_time, version="0", home="/x")


def test_a_second_server_on_one_home_is_refused_naming_the_first(tmp_path: Path) -> None:
    first, second = Home(tmp_path), Home(tmp_path)
    first.take()
    first.announce(_running(os.getpid(), psutil.Process().create_time()))
    with pytest.raises(ConfigurationError) as caught:
        second.take()
    assert caught.value.code == "home_in_use"
    assert f"process {os.getpid()}" in caught.value.why
    first.leave()
    second.take()
    second.leave()


def test_leaving_removes_what_says_that_a_server_runs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.take()
    home.announce(_running(os.getpid(), psutil.Process().create_time()))
    assert home.running() is not None
    home.leave()
    assert not (tmp_path / "server.json").exists()


def test_a_reused_pid_is_not_taken_for_the_server(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.announce(_running(os.getpid(), 12.5))
    assert home.running() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": "x"}'])
def test_a_broken_server_file_counts_as_no_server(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)
    assert Home(tmp_path).running() is None


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    secret = Home(tmp_path).secret()
    assert len(secret) == 32
    assert Home(tmp_path).secret() == secret
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "not hex", "abcd"])
def test_a_broken_secret_is_refused_and_never_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    with pytest.raises(ConfigurationError, match="secret"):
        Home(tmp_path).secret()
    assert (tmp_path / "secret").read_text() == text


def test_token_and_port_come_back_and_a_missing_one_is_none(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert (home.token(), home.last_port()) == (None, None)
    home.keep_token("ry_x")
    home.keep_port(8791)
    assert (home.token(), home.last_port()) == ("ry_x", 8791)
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600


def test_a_home_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        Home(tmp_path / "file" / "home").take()
