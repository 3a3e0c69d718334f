"""`railyard train --local`: the runner in a process of its own, without a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from railyard.cli import lazy, words
from railyard.cli.app import App

if TYPE_CHECKING:
    from railyard.client.requests import Draft

_FAILED = 10


def run_local(app: App, draft: Draft, code: str | None, out: Path | None) -> int:
    """Runs the request here; progress and log on stderr, the result on stdout. Returns the runner's verdict."""
    project = _project(draft, code)
    with tempfile.TemporaryDirectory(prefix="railyard-") as folder:
        request = Path(folder) / "request.json"
        request.write_text(draft.text, encoding="utf-8")
        argv = [sys.executable, "-m", "railyard.compute.runner", "local", "--request", str(request)]
        argv += ["--project", str(project), *(["--out", str(out)] if out else [])]
        done = subprocess.run(argv, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}, check=False)
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    if done.returncode != 0:
        for line in lines:
            app.out.note(line)
        return done.returncode if done.returncode in (2, 3, 5, _FAILED, 130) else _FAILED
    try:
        manifest: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise lazy.errors.RailyardError(
            "the runner ended without a result",
            why=lines[-1] if lines else "it printed nothing",
            mend="run it with --debug",
        ) from None
    if app.out.json:
        app.out.resource(manifest)
        return 0
    for name, text in _block(manifest, out):
        app.out.line(f"  {app.out.ink(f'{name:<9}', 'faint')} {text}")
    return 0


def _project(draft: Draft, code: str | None) -> Path:
    """The folder of the code project. Raises NotFound where there is none."""
    if code is not None and not Path(code).expanduser().is_dir():
        raise lazy.errors.NotFound(
            f"{code} is not a folder",
            why="--local runs code from this computer",
            mend="give --code the project's folder",
        )
    start = Path(code).expanduser() if code else draft.folder or Path.cwd()
    return lazy.packing.find_project(start).folder


def _block(manifest: dict[str, Any], out: Path | None) -> list[tuple[str, str]]:
    data, metrics = manifest.get("data"), manifest.get("metrics") or {}
    steps = [f"✓ {step['name']} {words.took(step.get('seconds'))}" for step in manifest.get("steps", ())]
    rows = [("steps", "  ".join(steps))]
    if data:
        rows.append(
            (
                "rows",
                f"{words.count(data['rows_read'])} read · {words.count(data['rows_after_filters'])} after filters · "
                f"{words.count(data['rows_train'])} train · {words.count(data['rows_holdout'])} holdout",
            )
        )
    for split in ("holdout", "train"):
        values = metrics.get(split) or {}
        rows += (
            [
                (
                    split,
                    "  ".join(f"{name} {lazy.html.number(value)}" for name, value in lazy.html.ordered(values).items()),
                )
            ]
            if values
            else []
        )
    rows += [("warning", text) for text in manifest.get("warnings", ())]
    model = manifest.get("model") or {}
    rows += [("model", f"{model['format']}, {words.size(model['bytes'])}")] if model else []
    rows += [("files", str(out))] if out else []
    return rows
