"""Whole programs, started as a user starts them: `railyard up`, projects on disk, the CLI, the SDK, curl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import railyard

RAILYARD = str(Path(sys.executable).with_name("railyard"))


@dataclass
class Platform:
    """A running server with a home of its own, and the ways to speak to it."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def cli(
        self, *arguments: str, cwd: Path | None = None, check: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs `railyard …`; a failure shows what it printed."""
        done = subprocess.run(
            [RAILYARD, *arguments],
            cwd=cwd or self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            input=stdin if stdin is not None else "",
        )
        if check and done.returncode != 0:
            pytest.fail(f"railyard {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def json(self, *arguments: str, cwd: Path | None = None) -> Any:
        return json.loads(self.cli(*arguments, "--json", cwd=cwd).stdout)

    def up(self, *arguments: str, cwd: Path | None = None) -> None:
        self.cli("up", "--detach", "--data-dir", str(self.home), "--port", "0", *arguments, cwd=cwd)

    def down(self) -> None:
        self.cli("down", "--data-dir", str(self.home), check=False)

    @property
    def server(self) -> Mapping[str, Any]:
        return json.loads((self.home / "server.json").read_text())

    @property
    def url(self) -> str:
        return str(self.server["url"])

    @property
    def token(self) -> str:
        return (self.home / "token").read_text().strip()

    def client(self) -> railyard.Client:
        return railyard.Client(url=self.url, token=self.token)

    def curl(self, method: str, path: str, *, body: str | None = None, headers: Sequence[str] = ()) -> Any:
        """What a person with curl sees, as parsed JSON."""
        command = [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "-X",
            method,
            self.url + path,
            "-H",
            f"Authorization: Bearer {self.token}",
        ]
        for header in headers:
            command += ["-H", header]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
        done = subprocess.run(command, input=body, capture_output=True, text=True, check=True, timeout=90)
        return json.loads(done.stdout)


def clean_environ(folder: Path) -> dict[str, str]:
    """The caller's environment without any trace of another Railyard."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAILYARD_")}
    return {
        **kept,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "RAILYARD_HOME": str(folder / "home"),
        "NO_COLOR": "1",
        # The interpreter manager and uv's cache live under the real home.
        "PYENV_ROOT": os.environ.get("PYENV_ROOT", str(Path("~/.pyenv").expanduser())),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path("~/.cache/uv").expanduser())),
    }


def new_platform() -> Platform:
    folder = Path(tempfile.mkdtemp(prefix="railyard-"))
    return Platform(folder, clean_environ(folder))


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """One server for the tests of a file, with fast clocks and the demo project beside it in `demo`."""
    made = new_platform()
    made.home.mkdir()
    (made.home / "railyard.toml").write_text("[jobs]\nheartbeat_seconds = 1\nretry_wait_seconds = 0.1\n")
    try:
        made.cli("init", "demo")
        made.up()
        yield made
    finally:
        made.down()
        shutil.rmtree(made.folder, ignore_errors=True)


@pytest.fixture
def fresh_platform() -> Iterator[Platform]:
    """A server that one test may break."""
    made = new_platform()
    made.home.mkdir()
    (made.home / "railyard.toml").write_text(
        "[jobs]\nheartbeat_seconds = 1\nretry_wait_seconds = 0.1\nlost_after_seconds = 3\ngrace_seconds = 1\nrescue_seconds = 0.5\nreconcile_seconds = 0.5\n"
    )
    try:
        yield made
    finally:
        made.down()
        shutil.rmtree(made.folder, ignore_errors=True)


def project(
    folder: Path, workflows: str, *, lock: str | None = None, python: str | None = None, name: str | None = None
) -> Path:
    """A small code project on disk."""
    (folder / "workflows").mkdir(parents=True)
    (folder / "workflows" / "flows.py").write_text(workflows)
    tool = f'[tool.railyard]\nname = "{name or folder.name}"\n'
    if lock is not None:
        (folder / "requirements.lock").write_text(lock)
        tool += 'lock = "requirements.lock"\n'
    if python is not None:
        tool += f'python = "{python}"\n'
    (folder / "pyproject.toml").write_text(tool)
    return folder


@pytest.fixture
def make_project(platform: Platform):
    def make(name: str, workflows: str, **options: Any) -> Path:
        return project(platform.folder / "projects" / name, workflows, name=name, **options)

    return make


def request_for(workflow: str, path: Path, **changes: Any) -> dict[str, Any]:
    """The smallest request that trains `workflow` on a Parquet file with columns x and y."""
    return {
        "model_description": "a test",
        "model_name": workflow.lower(),
        "owner": "team",
        "project": "tests",
        "trainer": "me",
        "data": {
            "features": [{"names": ["x", "y"], "source": "file", "path": str(path)}],
            "holdout_sampling": {"sampling_function": "RANDOM", "random_sampling": {"fraction": 0.25, "seed": 1}},
        },
        "train": {"workflow_name": workflow, "classifier_features": ["x"], "label": "y"},
        **changes,
    }
