"""Finding interpreters: what a path says it is counts, not its name; nothing that does not start is taken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from railyard.control.code.interpreters import ask, find_interpreter, server_minor
from railyard.errors import ConfigurationError


def _fake(path: Path, minor: str, name: str = "cpython") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho \'["{name}", "{minor}", "linux-x86_64"]\'\n')
    path.chmod(0o755)
    return path


def test_the_servers_own_interpreter_serves_its_own_minor() -> None:
    assert find_interpreter(server_minor(), environ={"PATH": ""}).path == sys.executable


def test_named_interpreters_come_before_path(tmp_path: Path) -> None:
    on_path, named = _fake(tmp_path / "bin" / "python3.99", "3.99"), _fake(tmp_path / "named" / "py", "3.99")
    environ = {"PATH": str(on_path.parent), "HOME": str(tmp_path)}
    assert find_interpreter("3.99", [str(named)], environ).path == str(named)
    assert find_interpreter("3.99", [], environ).path == str(on_path)


@pytest.mark.parametrize("folder", [".pyenv/versions", ".local/share/uv/python"])
def test_the_newest_patch_of_pyenv_and_uv_is_taken(tmp_path: Path, folder: str) -> None:
    prefix = "cpython-" if "uv" in folder else ""
    for patch in ("3.99.2", "3.99.10", "3.99.9"):
        _fake(tmp_path / folder / f"{prefix}{patch}" / "bin" / "python", "3.99")
    found = find_interpreter("3.99", environ={"PATH": "", "HOME": str(tmp_path)})
    assert found.path == str(tmp_path / folder / f"{prefix}3.99.10" / "bin" / "python")


def test_a_name_that_lies_and_a_shim_that_fails_are_passed_over(tmp_path: Path) -> None:
    _fake(tmp_path / "bin" / "python3.99", "3.98")
    shim = tmp_path / "bin" / "python3"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    right = _fake(tmp_path / "bin" / "python", "3.99")
    assert find_interpreter("3.99", environ={"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}).path == str(right)


@pytest.mark.parametrize(
    "text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n", "#!/bin/sh\necho '[1]'\n", "not a program"]
)
def test_what_is_no_python_is_none(tmp_path: Path, text: str) -> None:
    program = tmp_path / "python"
    program.write_text(text)
    program.chmod(0o755)
    assert ask(str(program)) is None
    assert ask(str(tmp_path / "missing")) is None


def test_another_implementation_is_none(tmp_path: Path) -> None:
    assert ask(str(_fake(tmp_path / "pypy", "3.11", "pypy"))) is None


def test_none_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_interpreter("3.99", ["/nonexistent"], {"PATH": "", "HOME": str(tmp_path)})
    assert caught.value.code == "no_interpreter"
