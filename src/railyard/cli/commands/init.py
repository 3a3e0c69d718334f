"""railyard init"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from railyard.cli import home, lazy
from railyard.cli.app import App, pass_app
from railyard.cli.groups import command
from railyard.cli.include import include


@command("init", json=False, examples=["railyard init demo && cd demo && railyard train request.json5 --follow"],
         short_help="Write a runnable project, with its own demo data.")  # fmt: skip
@click.argument("folder", metavar="[DIR]", default="demo", type=click.Path(path_type=Path))
@click.option("--no-data", is_flag=True, help="Leave the demo data to its script, make_data.py.")
@pass_app
def init(app: App, folder: Path, no_data: bool) -> None:
    """Write a runnable code project: a workflow, a request, and a script that makes its demo data.

    Overwrites nothing.
    """
    written = lazy.template.write_template(folder)
    for path in written:
        app.out.line(str(path))
    script = next((path for path in written if path.name == "make_data.py"), None)
    if script is not None and not no_data:
        app.out.talk("making its demo data …")
        _make_data(script)
    settings = next((path for path in written if path.name == "railyard.toml"), None)
    if settings is not None and include(home.folder(None), settings):
        app.out.talk(
            f"the server on this computer reads its settings too: {home.folder(None)}/railyard.toml includes them"
        )
    here = Path.cwd().resolve() == folder.resolve()
    app.out.talk(f"next: {'' if here else f'cd {folder} && '}railyard train request.json5 --follow")


def _make_data(script: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(script.resolve())], cwd=script.parent, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise lazy.errors.ConfigurationError(
            "the project is written, but its demo data could not be made",
            code="no_demo_data",
            why=(done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1],
            mend=f'pip install "railyard[all]", then: python {script}',
        )
