"""The README is true: its console block runs, in order, and prints what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks() -> list[tuple[str, list[str]]]:
    """Every command of the marked console block with the lines printed below it."""
    marked = README.split("<!-- run: begin -->")[1].split("<!-- run: end -->")[0]
    found: list[tuple[str, list[str]]] = []
    for line in marked.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and not line.startswith("```"):
            found[-1][1].append(line)
    return found


def shape(line: str) -> str:
    """A line without what differs each time: times, ids, ports, amounts."""
    line = re.sub(r"j[0-9a-z]{9}|:[0-9a-f]{12}\b|:\d{2,5}\b", "ID", line.strip())
    return re.sub(r"\d+(\.\d+)? s\b", "N s", line)


def test_the_console_block_runs_and_prints_what_it_shows(fresh_platform):
    cwd = fresh_platform.folder
    for command, shown in blocks():
        words = shlex.split(command)
        if words[0] == "cd":
            cwd = cwd / words[1]
            continue
        assert words.pop(0) == "railyard"
        if words[0] == "up":
            words += ["--port", "0"]
        done = fresh_platform.cli(*words, cwd=cwd)
        printed = [shape(line) for line in (done.stdout + done.stderr).splitlines()]
        for line in shown:
            assert any(one.startswith(shape(line)) for one in printed), (
                f"{command!r} did not print {line!r}:\n" + "\n".join(printed)
            )


def test_the_readme_is_short_and_its_links_lead_somewhere():
    assert len(README.splitlines()) < 200
    for target in re.findall(r"\]\(([^)#]+)\)|srcset=\"([^\"]+)\"|src=\"([^\"]+)\"", README):
        path = next(part for part in target if part)
        if not path.startswith("http"):
            assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    "page",
    [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"],
    ids=lambda page: page.name,
)
def test_links_between_pages_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
