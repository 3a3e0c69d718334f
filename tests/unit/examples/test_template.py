"""What `railyard init` writes."""

import shutil
import subprocess
import sys

import example_projects as examples
import pytest

from railyard.cli import template
from railyard.errors import ConfigurationError, Conflict


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_checkout_uses_the_demo_among_the_examples():
    assert template.template_folder() == examples.EXAMPLES / "fraud"


def test_an_installed_package_uses_its_own_copy(tmp_path, monkeypatch):
    cli = tmp_path / "site-packages" / "railyard" / "cli"
    shutil.copytree(examples.EXAMPLES / "fraud", cli / "template")
    monkeypatch.setattr(template, "__file__", str(cli / "template.py"))
    assert template.template_folder() == cli / "template"


def test_an_installation_without_the_demo_says_how_to_mend_it(tmp_path, monkeypatch):
    monkeypatch.setattr(template, "__file__", str(tmp_path / "a" / "b" / "c" / "template.py"))
    with pytest.raises(ConfigurationError, match="pip install"):
        template.template_folder()


def test_it_writes_the_whole_project_into_a_new_folder(tmp_path):
    target = tmp_path / "new" / "demo"
    written = template.write_template(target)
    assert sorted(path.relative_to(target).as_posix() for path in written) == names(target)
    assert {"request.json5", "railyard.toml", "pyproject.toml", "make_data.py", "workflows/stripe_fraud.py"} <= set(
        names(target)
    )
    for path in written:
        assert path.read_bytes() == (examples.EXAMPLES / "fraud" / path.relative_to(target)).read_bytes()


def test_files_can_be_edited_also_where_the_package_is_read_only(tmp_path):
    for path in template.write_template(tmp_path):
        assert path.stat().st_mode & 0o200


def test_data_and_caches_are_no_part_of_it(tmp_path, monkeypatch):
    source = tmp_path / "cli" / "template"
    shutil.copytree(examples.EXAMPLES / "fraud", source)
    for grown in ("data/to/x.parq", "workflows/__pycache__/a.pyc", ".pytest_cache/x", ".railyard/y", "stray.pyc"):
        (source / grown).parent.mkdir(parents=True, exist_ok=True)
        (source / grown).write_text("grown")
    monkeypatch.setattr(template, "__file__", str(tmp_path / "cli" / "template.py"))
    template.write_template(tmp_path / "target")
    assert not [path for path in (tmp_path / "target").rglob("*") if path.is_file() and path.read_bytes() == b"grown"]


def test_nothing_is_overwritten_and_nothing_is_written_beside_it(tmp_path):
    (tmp_path / "request.json5").write_text("mine")
    with pytest.raises(Conflict) as caught:
        template.write_template(tmp_path)
    assert "already holds request.json5" in caught.value.message
    assert "railyard init ANOTHER-FOLDER" in caught.value.mend
    assert names(tmp_path) == ["request.json5"]
    assert (tmp_path / "request.json5").read_text() == "mine"


@pytest.mark.parametrize("taken", ["", "workflows"])
def test_a_file_where_a_folder_must_be_is_refused(tmp_path, taken):
    target = tmp_path / "demo"
    file = target / taken if taken else target
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("a file")
    with pytest.raises(Conflict, match="is a file"):
        template.write_template(target)
    assert file.read_text() == "a file"


def test_other_files_in_the_folder_do_not_matter(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    template.write_template(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_it_needs_no_heavy_library():
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, railyard.cli.template; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert not {"numpy", "pandas", "polars", "httpx2", "rich"} & set(loaded)
