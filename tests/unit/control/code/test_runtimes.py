"""Building a runtime: once under concurrency, anew after a crash, told in uv's words. A small program stands in for uv."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from railyard.control.code import runner_package, runtimes
from railyard.control.code.interpreters import Interpreter
from railyard.control.code.lock import read_lock
from railyard.control.code.runtimes import RuntimeBroken, Runtimes, Wanted, asks_for_server, wanted
from railyard.errors import ConfigurationError, Invalid

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"

UV = f"""#!{sys.executable}
import os, pathlib, sys, time
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
    calls.write("downloads=" + os.environ["UV_PYTHON_DOWNLOADS"] + " link=" + os.environ["UV_LINK_MODE"] + "\\n")
if sys.argv[1] == "venv":
    folder = pathlib.Path(sys.argv[-1])
    (folder / "bin").mkdir(parents=True)
    (folder / "lib" / "python{MINOR}" / "site-packages").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
elif (here / "hang").exists():
    (here / "hanging").write_text(str(os.getpid()))
    time.sleep(600)
elif (here / "fail").exists():
    print("Using Python 3.11 environment at: x", file=sys.stderr)
    print((here / "fail").read_text(), file=sys.stderr)
    sys.exit(1)
"""


@pytest.fixture
def uv(tmp_path: Path) -> Path:
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(UV)
    program.chmod(0o755)
    return program


@pytest.fixture
def built(tmp_path: Path, uv: Path) -> Runtimes:
    return Runtimes(tmp_path / "runtimes", program=str(uv))


def _want(key: str = "0123456789abcdef", lock: str = "numpy==2.4.6\n") -> Wanted:
    return Wanted(
        key=key,
        interpreter=Interpreter(path=sys.executable, minor=MINOR, platform="linux-x86_64"),
        lock=read_lock(lock, "requirements.lock"),
    )


def _calls(uv: Path) -> list[str]:
    return (uv.parent / "calls").read_text().splitlines()


def _installs(uv: Path) -> list[str]:
    return [line for line in _calls(uv) if line.startswith("pip install")]


async def test_a_runtime_is_built_once_for_many_who_ask(tmp_path: Path, uv: Path, built: Runtimes) -> None:
    another = Runtimes(tmp_path / "runtimes", program=str(uv))  # as another server on the same home would have it
    found = await asyncio.gather(*(each.build(_want()) for each in (built, another, built, another)))
    assert len(set(found)) == 1
    assert found[0].key == "0123456789abcdef"
    assert len(_installs(uv)) == 1
    assert built.find("0123456789abcdef") == found[0]


async def test_the_lock_and_the_runners_needs_are_installed_together(uv: Path, built: Runtimes) -> None:
    found = await built.build(_want())
    folder = Path(found.python).parents[1]
    assert (folder / "lock.txt").read_text() == "numpy==2.4.6\n"
    needed = (folder / "runner.txt").read_text()
    assert "polars>=" in needed
    assert "pydantic" in needed
    assert "sqlalchemy" not in needed
    assert _installs(uv) == [f"pip install --python {found.python} -r {folder}/runner.txt -r {folder}/lock.txt"]
    assert "downloads=never link=copy" in _calls(uv)


async def test_a_lock_with_hashes_is_installed_by_them_and_then_holds_the_rest(uv: Path, built: Runtimes) -> None:
    lock = f"numpy[x]==2.4.6 ; python_version > '3' \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
    found = await built.build(_want(lock=lock))
    folder = Path(found.python).parents[1]
    first, second = _installs(uv)
    assert "--require-hashes --no-deps" in first
    assert first.endswith("lock.txt")
    assert second.endswith(f"-r {folder}/runner.txt -c {folder}/constraints.txt")
    assert (folder / "constraints.txt").read_text() == "numpy==2.4.6 ; python_version > '3'\n"


async def test_the_runner_is_copied_without_the_control_plane(built: Runtimes) -> None:
    found = await built.build(_want())
    package = Path(found.python).parents[1] / "lib" / f"python{MINOR}" / "site-packages" / "railyard"
    assert (package / "compute" / "runner" / "__init__.py").is_file()
    assert (package / "spec" / "attempt.py").is_file()
    assert not (package / "control").exists()
    assert not (package / "cli").exists()
    assert not list(package.rglob("*.pyc"))


def test_what_is_copied_imports_nothing_that_stays_behind() -> None:
    package = Path(runner_package.__file__).parents[2]
    files = [path for path in runner_package.runner_files() if path.suffix == ".py"]
    assert len(files) > 20
    copied = {path.parts[0].removesuffix(".py") for path in files}
    for path in files:
        for imported in re.findall(r"^\s*(?:from|import) railyard\.(\w+)", (package / path).read_text(), re.MULTILINE):
            assert imported in copied, f"{path} imports railyard.{imported}, which a runtime does not hold"


async def test_a_failure_is_told_in_uvs_own_words_and_leaves_nothing_but_the_log(uv: Path, built: Runtimes) -> None:
    (uv.parent / "fail").write_text("error: No solution found: because numpy==2.4.6 and numpy==1.0 disagree")
    with pytest.raises(RuntimeBroken) as caught:
        await built.build(_want())
    assert caught.value.message == "error: No solution found: because numpy==2.4.6 and numpy==1.0 disagree"
    assert caught.value.code == "runtime_build"
    assert built.find("0123456789abcdef") is None
    assert not (built.log("0123456789abcdef").parent / "0123456789abcdef").exists()
    assert "disagree" in built.log("0123456789abcdef").read_text()


async def test_after_a_failure_it_is_built_anew(uv: Path, built: Runtimes) -> None:
    (uv.parent / "fail").write_text("error: index is away")
    with pytest.raises(RuntimeBroken):
        await built.build(_want())
    (uv.parent / "fail").unlink()
    assert (await built.build(_want())).key == "0123456789abcdef"


async def test_very_long_words_are_cut_at_their_beginning(uv: Path, built: Runtimes) -> None:
    (uv.parent / "fail").write_text("x" * 50_000 + " the end")
    with pytest.raises(RuntimeBroken) as caught:
        await built.build(_want())
    assert len(caught.value.message) < 10_000
    assert caught.value.message.endswith("the end")


async def test_a_half_built_runtime_is_not_found_and_is_rebuilt(tmp_path: Path, uv: Path, built: Runtimes) -> None:
    half = tmp_path / "runtimes" / "0123456789abcdef"
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").symlink_to(sys.executable)
    (half / "rubbish").touch()
    assert built.find("0123456789abcdef") is None
    assert await built.build(_want()) == built.find("0123456789abcdef")
    assert not (half / "rubbish").exists()


async def test_a_runtime_whose_interpreter_has_gone_is_rebuilt(tmp_path: Path, uv: Path, built: Runtimes) -> None:
    python = Path((await built.build(_want())).python)
    python.unlink()
    python.symlink_to("/nonexistent/python")
    assert built.find("0123456789abcdef") is None
    assert (await built.build(_want())).python == str(python)
    assert python.exists()


async def test_a_cancelled_build_kills_uv_and_lets_the_next_one_build(uv: Path, built: Runtimes) -> None:
    (uv.parent / "hang").touch()
    building = asyncio.create_task(built.build(_want()))
    while not (uv.parent / "hanging").exists() or not (uv.parent / "hanging").read_text():
        await asyncio.sleep(0.01)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    with pytest.raises(ProcessLookupError):
        os.kill(int((uv.parent / "hanging").read_text()), 0)
    (uv.parent / "hang").unlink()
    assert (await built.build(_want())).key == "0123456789abcdef"


async def test_our_own_virtual_environment_does_not_lead_uv_astray(
    uv: Path, built: Runtimes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("UV_CONSTRAINT", "/somewhere")
    seen = runtimes._environ()
    assert not {"VIRTUAL_ENV", "PYTHONPATH", "UV_CONSTRAINT"} & set(seen)


def test_code_without_a_lock_runs_in_the_servers_interpreter_unless_it_wants_another_python() -> None:
    assert asks_for_server(None, None)
    assert asks_for_server(None, MINOR)
    assert not asks_for_server(None, "3.99")
    assert not asks_for_server("", None)
    assert runtimes.SERVER.python == sys.executable


def test_the_key_changes_with_lock_python_and_runner_and_with_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    first = wanted("numpy==2.4.6\n", "a.lock", None)
    assert wanted("numpy==2.4.6\n", "elsewhere/b.lock", MINOR) == first
    assert len(first.key) == 16
    assert wanted("numpy==2.4.5\n", "a.lock", None).key != first.key
    monkeypatch.setattr(runtimes, "runner_version", lambda: "0.2.0+00000000")
    assert wanted("numpy==2.4.6\n", "a.lock", None).key != first.key


def test_a_python_that_is_not_here_is_told_with_how_to_get_it() -> None:
    with pytest.raises(ConfigurationError, match=r"Python 3\.99 is not on this machine") as caught:
        wanted("", "a.lock", "3.99")
    assert "pyenv install 3.99" in caught.value.mend
    assert "pythons" in caught.value.mend


def test_a_bad_lock_is_told_before_anything_is_built() -> None:
    with pytest.raises(Invalid, match="does not hold"):
        wanted("numpy>=2\n", "a.lock", None)


def test_the_runner_version_names_version_and_content() -> None:
    version, _, digest = runner_package.runner_version().partition("+")
    assert version == runner_package.__version__
    assert len(digest) == 8
