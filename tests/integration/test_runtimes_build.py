"""Runtimes built by uv itself from a package index: conflicting versions side by side, hashes honoured, clashes in uv's words."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import parts
import pytest
import uv

from railyard.artifacts.store import open_store
from railyard.client.code import pack
from railyard.control.code.room import CodeRoom
from railyard.control.code.runtimes import RuntimeBroken, Runtimes, wanted
from railyard.control.db.engine import Database
from railyard.control.executors.base import Runtime
from railyard.control.executors.places import Place
from railyard.errors import RailyardError

OLD, NEW = "colorama==0.4.5", "colorama==0.4.6"
"""Two versions of one small, pure-Python library."""

WORKFLOW = """
import sys

import colorama
import railyard


class {name}(railyard.Workflow):
    label = colorama.__version__
    features = (sys.version.split()[0], sys.executable)

    def train(self, training, holdout):
        return None
"""


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lock with hashes of the newer version, as uv makes it; skips where no index answers."""
    folder = tmp_path_factory.mktemp("lock")
    (folder / "in.txt").write_text(NEW + "\n")
    command = [
        uv.find_uv_bin(),
        "pip",
        "compile",
        "--quiet",
        "--generate-hashes",
        "--no-header",
        str(folder / "in.txt"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode:
        parts.missing("index", f"make a package index reachable for uv ({done.stderr.strip()[-300:]})")
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all tests here, removed at the end: a runtime takes 400 MB."""
    folder = tmp_path_factory.mktemp("home")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class InRuntime:
    """Asks the runner in a runtime's own interpreter, as an executor does without a warm one."""

    async def ask(
        self, runtime: Runtime, question: str, body: Mapping[str, Any], *, timeout_seconds: float
    ) -> Mapping[str, Any]:
        process = await asyncio.create_subprocess_exec(
            runtime.python, "-I", "-m", "railyard.compute.runner", question,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd="/",
        )  # fmt: skip
        told, _ = await asyncio.wait_for(process.communicate(json.dumps(body).encode()), timeout_seconds)
        answer = json.loads(told)
        if "answer" not in answer:
            raise RailyardError(answer["error"])
        return dict(answer["answer"])


def _packed(folder: Path, name: str, lock: str, python: str | None = None) -> bytes:
    project = folder / name
    (project / "workflows").mkdir(parents=True)
    (project / "workflows" / "w.py").write_text(WORKFLOW.format(name=name))
    wish = f'python = "{python}"\n' if python else ""
    (project / "pyproject.toml").write_text(f'[tool.railyard]\nlock = "requirements.lock"\n{wish}')
    (project / "requirements.lock").write_text(lock)
    return pack(project).zip_bytes


def _versions(runtime: Runtime, *names: str) -> list[str]:
    script = f"from importlib.metadata import version; print(*map(version, {names!r}))"
    done = subprocess.run([runtime.python, "-I", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


async def test_projects_with_conflicting_pins_and_pythons_live_side_by_side(
    locked: str, home: Path, tmp_path: Path, database: Database
) -> None:
    room = CodeRoom(database, open_store(tmp_path / "artifacts"), home, InRuntime())  # type: ignore[arg-type]
    bundles = {"Old": _packed(tmp_path, "Old", OLD + "\n"), "New": _packed(tmp_path, "New", locked)}
    ids = [(await room.register(content, "ada")).code_id for content in bundles.values()]
    versions = [await room.settled(code_id) for code_id in ids]
    assert [(version.state, version.message) for version in versions] == [("ready", None)] * 2
    seen = {info.name: info for version in versions for info in version.workflows}
    assert {name: info.label for name, info in seen.items()} == {"Old": "0.4.5", "New": "0.4.6"}
    places = [await room.place(code_id) for code_id in ids]
    assert all(isinstance(place, Place) for place in places)
    pythons = [info.features[1] for info in (seen["Old"], seen["New"]) if info.features]
    assert pythons == [place.runtime.python for place in places if isinstance(place, Place)]
    await room.close()


async def test_another_python_is_seen_from_inside(locked: str, home: Path, tmp_path: Path, database: Database) -> None:
    python = parts.python("3.12")
    room = CodeRoom(database, open_store(tmp_path / "artifacts"), home, InRuntime(), pythons=[python])  # type: ignore[arg-type]
    version = await room.settled((await room.register(_packed(tmp_path, "Other", locked, "3.12"), "ada")).code_id)
    assert (version.state, version.message) == ("ready", None)
    (info,) = version.workflows
    assert info.label == "0.4.6"
    assert info.features is not None
    assert info.features[0].startswith("3.12.")
    await room.close()


async def test_the_users_pin_wins_over_what_the_runner_would_take(locked: str, home: Path) -> None:
    pins = "psutil==6.1.1\ncloudpickle==3.0.0\n"
    built = await Runtimes(home / "runtimes").build(wanted(pins, "requirements.lock", None))
    assert _versions(built, "psutil", "cloudpickle") == ["6.1.1", "3.0.0"]


async def test_a_clash_with_the_runner_is_told_in_uvs_own_words(locked: str, home: Path) -> None:
    with pytest.raises(RuntimeBroken) as caught:
        await Runtimes(home / "runtimes").build(wanted("pydantic==1.10.2\n", "requirements.lock", None))
    assert "pydantic" in caught.value.message
    assert re.search(r"unsatisfiable|incompatible|conflict|No solution", caught.value.message)


async def test_a_hashed_lock_that_clashes_is_told_too(locked: str, home: Path) -> None:
    digest = "0" * 64
    with pytest.raises(RuntimeBroken, match="colorama"):
        lock = f"colorama==0.4.6 --hash=sha256:{digest}\n"
        await Runtimes(home / "runtimes").build(wanted(lock, "requirements.lock", None))


async def test_a_package_that_does_not_exist_is_told_in_uvs_own_words(locked: str, home: Path) -> None:
    with pytest.raises(RuntimeBroken, match=r"colorama==0\.0\.999"):
        await Runtimes(home / "runtimes").build(wanted("colorama==0.0.999\n", "requirements.lock", None))
