"""railyard deploy"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from railyard.cli import lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command

if TYPE_CHECKING:
    from railyard.spec.records import CodeVersion


@command("deploy", examples=["railyard deploy --version 1.4.0", "railyard deploy ./fraud --no-wait"],
         short_help="Make a code project what plain requests run.")  # fmt: skip
@click.argument("path", metavar="[PATH]", default=".", type=click.Path(exists=True, path_type=Path))
@click.option("--version", metavar="NAME", help="A name for it: project@NAME then means this code version.")
@click.option("--timeout", metavar="30m", default="30m", show_default=True, help="How long its runtime may take.")
@click.option("--no-wait", is_flag=True, help="Return at once; the runtime is built meanwhile.")
@pass_app
def deploy(app: App, path: Path, version: str | None, timeout: str, no_wait: bool) -> None:
    """Send the code project in PATH and make it what plain requests run; waits until its runtime is built."""
    packed = lazy.packing.pack(path)
    for text in (*packed.warnings, *packed.notes):
        app.out.note(f"{app.out.ink('note:', 'busy')}  {text}")
    app.out.talk(
        f"{packed.manifest.project} {packed.code_id}: {len(packed.files)} files, {len(packed.zip_bytes):,} bytes"
    )
    seen: list[str] = []

    def progress(code: CodeVersion) -> None:
        words = f"{code.state}{f': {code.message}' if code.message and code.state == 'building' else ''}"
        if words not in seen:
            seen.append(words)
            app.out.talk(f"runtime {code.runtime} {words}")

    code = app.client.code.deploy(packed, version=version, timeout=None if no_wait else timeout, progress=progress)
    if app.out.json:
        app.out.resource(lazy.spec.dump(code))
        return
    name = f"{code.project}@{code.version}" if code.version else code.project
    app.out.line(code.code_id if app.out.quiet else f"{app.out.ink('✓', 'ok')} {name} is {code.code_id}")
    for info in code.workflows:
        app.out.talk(
            f"  {info.name}  {info.file}"
            + (app.out.ink(f"  broken: {info.broken.strip().splitlines()[-1]}", "bad") if info.broken else "")
        )
