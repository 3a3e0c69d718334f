"""Packing a code project: deterministic, without secrets and data, and with errors that say what to mend."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from railyard.client.code import PackedCode, code_id, find_project, pack
from railyard.errors import Invalid, NotFound, TooLarge

WORKFLOW = "import railyard\n\n\nclass Fraud(railyard.Workflow):\n    pass\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The smallest code project, outside git."""
    return _write(tmp_path / "fraud", {"workflows/fraud.py": WORKFLOW})


def _write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in files.items():
        at = folder / path
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def _settings(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.railyard]\n{text}\n")


def _git(folder: Path, *arguments: str) -> str:
    if not shutil.which("git"):
        pytest.skip("git is not here")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, env=environ, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _committed(folder: Path) -> str:
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "-m", "first")
    return _git(folder, "rev-parse", "HEAD")


def _entries(packed: PackedCode) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed.zip_bytes)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_folder_with_workflows_is_a_project_named_after_it(folder: Path) -> None:
    packed = pack(folder)
    assert _entries(packed)["workflows/fraud.py"] == WORKFLOW.encode()
    assert json.loads(_entries(packed)["bundle.json"]) == {
        "dirty": False,
        "format": 1,
        "git_sha": None,
        "lock": None,
        "project": "fraud",
        "python": None,
        "workflows": "workflows",
    }
    assert packed.files == ("workflows/fraud.py",)
    assert packed.code_id == code_id(packed.zip_bytes)
    assert len(packed.code_id) == 13


def test_settings_come_from_pyproject(folder: Path) -> None:
    _settings(folder, 'name = "fraud-team"\npython = "3.12"\nlock = "./locks/run.lock"\nworkflows = "src/jobs"')
    _write(folder, {"locks/run.lock": "numpy==2.4.6\n", "src/jobs/a.py": WORKFLOW})
    manifest = pack(folder).manifest
    assert (manifest.project, manifest.python, manifest.lock, manifest.workflows) == (
        "fraud-team",
        "3.12",
        "locks/run.lock",
        "src/jobs",
    )


def test_the_project_is_found_from_a_file_deep_inside(folder: Path) -> None:
    _write(folder, {"workflows/deep/er.py": ""})
    assert find_project(folder / "workflows" / "deep" / "er.py").folder == folder
    assert find_project(folder / "workflows").folder == folder


def test_the_nearest_project_wins(folder: Path) -> None:
    inner = _write(folder / "teams" / "risk", {"workflows/a.py": WORKFLOW})
    assert find_project(inner).folder == inner


@pytest.mark.parametrize(
    ("name", "expected"),
    [("my project", "my-project"), ("ünïcode", "n-code"), ("__", "project"), ("a" * 200, "a" * 128)],
)
def test_a_folder_name_that_is_no_project_name_is_made_one(tmp_path: Path, name: str, expected: str) -> None:
    assert find_project(_write(tmp_path / name, {"workflows/a.py": ""})).name == expected


def test_packing_twice_gives_the_same_bytes_whatever_times_modes_and_places(folder: Path, tmp_path: Path) -> None:
    first = pack(folder)
    copy = tmp_path / "elsewhere" / "fraud"
    shutil.copytree(folder, copy)
    os.utime(copy / "workflows" / "fraud.py", (1, 1))
    (copy / "workflows" / "fraud.py").chmod(0o755)
    assert pack(copy).zip_bytes == first.zip_bytes


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.text("abcé日 -_", min_size=1, max_size=8).map(lambda name: f"x{name}.py"),
        st.binary(max_size=200),
        max_size=8,
    ),
    reverse=st.booleans(),
)
def test_the_bundle_holds_exactly_what_was_written_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], reverse: bool
) -> None:
    folder = _write(tmp_path_factory.mktemp("p") / "p", {"workflows/w.py": WORKFLOW})
    for name in sorted(files, reverse=reverse):
        _write(folder, {f"lib/{name}": files[name]})
    entries = _entries(pack(folder))
    del entries["bundle.json"], entries["workflows/w.py"]
    assert entries == {f"lib/{name}": content for name, content in files.items()}
    assert list(entries) == sorted(entries)


def test_a_clean_checkout_is_named_by_its_commit(folder: Path) -> None:
    sha = _committed(folder)
    manifest = pack(folder).manifest
    assert (manifest.git_sha, manifest.dirty) == (sha, False)


@pytest.mark.parametrize("change", ["edit", "stage", "delete", "untracked"])
def test_any_change_inside_the_project_makes_it_dirty(folder: Path, change: str) -> None:
    _write(folder, {"lib.py": "1"})
    _committed(folder)
    if change == "delete":
        (folder / "lib.py").unlink()
    else:
        _write(folder, {"new.py" if change == "untracked" else "lib.py": "2"})
    if change == "stage":
        _git(folder, "add", "lib.py")
    packed = pack(folder)
    assert packed.manifest.dirty
    assert ("lib.py" in packed.files) is (change != "delete")
    assert ("new.py" in packed.files) is (change == "untracked")


def test_changes_beside_the_project_do_not_make_it_dirty(tmp_path: Path) -> None:
    _write(tmp_path, {"fraud/workflows/a.py": WORKFLOW, "other/readme": "1"})
    _committed(tmp_path)
    _write(tmp_path, {"other/readme": "2", "other/new": "3"})
    packed = pack(tmp_path / "fraud")
    assert not packed.manifest.dirty
    assert packed.files == ("workflows/a.py",)


def test_a_checkout_without_a_commit_is_dirty_and_has_no_sha(folder: Path) -> None:
    _git(folder, "init", "-q")
    manifest = pack(folder).manifest
    assert (manifest.git_sha, manifest.dirty) == (None, True)


def test_a_project_that_the_outer_checkout_ignores_is_packed_as_if_there_were_none(tmp_path: Path) -> None:
    _write(tmp_path, {".gitignore": "scratch/\n"})
    _committed(tmp_path)
    packed = pack(_write(tmp_path / "scratch" / "p", {"workflows/a.py": WORKFLOW}))
    assert packed.files == ("workflows/a.py",)
    assert packed.manifest.git_sha is None


def test_git_variables_of_a_hook_do_not_lead_astray(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = _committed(folder)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nowhere" / "index"))
    assert pack(folder).manifest.git_sha == sha


@pytest.mark.parametrize("in_git", [True, False])
def test_gitignore_is_respected_inside_and_outside_git(folder: Path, in_git: bool) -> None:
    _write(
        folder,
        {
            ".gitignore": "*.log\nbuild/\n/top.txt\n!keep.log\n",
            "a.log": "", "keep.log": "", "build/x.py": "", "lib/build/y.py": "", "top.txt": "", "lib/top.txt": "",
            "lib/.gitignore": "local.py\n!b.log\n", "lib/local.py": "", "lib/b.log": "", "local.py": "",
        },
    )  # fmt: skip
    if in_git:
        _committed(folder)
    assert pack(folder).files == (
        ".gitignore", "keep.log", "lib/.gitignore", "lib/b.log", "lib/top.txt", "local.py", "workflows/fraud.py",
    )  # fmt: skip


def test_without_git_a_checkout_is_packed_with_a_warning(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _committed(folder)
    monkeypatch.setenv("PATH", "/nonexistent")
    packed = pack(folder)
    assert packed.files == ("workflows/fraud.py",)
    assert "git is not installed" in packed.warnings[0]


def test_a_broken_checkout_is_packed_with_gits_own_words(folder: Path) -> None:
    _committed(folder)
    (folder / ".git" / "config").write_text("[broken")
    packed = pack(folder)
    assert packed.files == ("workflows/fraud.py",)
    assert "bad config" in packed.warnings[0]


SECRETS = (
    ".env", ".env.production", ".ENV", "server.pem", "tls/private.KEY", "id_rsa", "id_rsa.pub", "id_ed25519", "credentials",
    "credentials.json", ".npmrc", ".pypirc", ".netrc", ".aws/config", "service-account-prod.json", "secrets.yaml",
)  # fmt: skip


@pytest.mark.parametrize("path", SECRETS)
@pytest.mark.parametrize("in_git", [True, False])
def test_a_secret_never_gets_in_and_is_named(folder: Path, path: str, in_git: bool) -> None:
    _write(folder, {path: "s3cret-value"})
    if in_git:
        _committed(folder)
    packed = pack(folder)
    assert b"s3cret-value" not in packed.zip_bytes
    assert path not in packed.files
    assert packed.warnings == (f"left out because they look like secrets: {path}",)


def test_a_private_key_under_an_innocent_name_stays_out(folder: Path) -> None:
    _write(folder, {"lib/deploy.txt": "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n"})
    packed = pack(folder)
    assert packed.files == ("workflows/fraud.py",)
    assert "lib/deploy.txt" in packed.warnings[0]


@pytest.mark.parametrize("path", ["environment.py", "keys.py", "monkey.py", "lib/secrets.py", "env.txt", "pem.md"])
def test_code_that_only_sounds_like_a_secret_stays_in(folder: Path, path: str) -> None:
    assert path in pack(_write(folder, {path: "1"})).files


def test_many_secrets_are_counted_in_one_warning(folder: Path) -> None:
    packed = pack(_write(folder, {f"{name}.pem": "" for name in "abcdefg"}))
    assert packed.warnings == ("left out because they look like secrets: a.pem, b.pem, c.pem, d.pem, e.pem and 2 more",)


def test_data_stays_out_with_a_note_and_small_tables_stay_in(folder: Path) -> None:
    _write(
        folder,
        {"data/a.parquet": b"1" * 1_500_000, "data/b.PARQ": b"2", "big.csv": b"3" * (2**20 + 1), "small.csv": b"4"},
    )
    packed = pack(folder)
    assert packed.files == ("small.csv", "workflows/fraud.py")
    assert packed.notes == (
        "data in . (1.0 MB) is left out: a request names its data by path",
        "data in data (1.5 MB) is left out: a request names its data by path",
    )
    assert packed.warnings == ()


def test_debris_stays_out_even_where_git_does_not_ignore_it(folder: Path) -> None:
    _write(folder, {"workflows/__pycache__/fraud.cpython-311.pyc": "", "env3/pyvenv.cfg": "", "env3/lib/x.py": "",
                    "node_modules/a/index.js": "", ".venv/x.py": "", "stale.pyc": ""})  # fmt: skip
    _committed(folder)
    assert pack(folder).files == ("workflows/fraud.py",)


def test_a_stale_bundle_json_is_replaced(folder: Path) -> None:
    packed = pack(_write(folder, {"bundle.json": '{"project": "other"}', "lib/bundle.json": "{}"}))
    assert json.loads(_entries(packed)["bundle.json"])["project"] == "fraud"
    assert "lib/bundle.json" in packed.files
    assert "bundle.json is left out" in packed.notes[0]


@pytest.mark.parametrize("in_git", [True, False])
def test_a_link_inside_is_followed(folder: Path, in_git: bool) -> None:
    (folder / "alias.py").symlink_to("workflows/fraud.py")
    if in_git:
        _committed(folder)
    assert _entries(pack(folder))["alias.py"] == WORKFLOW.encode()


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside.txt", "missing.txt", "workflows", "."])
@pytest.mark.parametrize("in_git", [True, False])
def test_a_link_that_leads_out_or_nowhere_or_to_a_folder_is_refused(folder: Path, target: str, in_git: bool) -> None:
    _write(folder.parent, {"outside.txt": "private"})
    (folder / "link").symlink_to(target)
    if in_git:
        _committed(folder)
    with pytest.raises(Invalid, match="link is a link that a bundle cannot hold") as caught:
        pack(folder)
    assert ".gitignore" in caught.value.mend


def test_a_link_to_a_secret_is_a_secret(folder: Path) -> None:
    _write(folder, {".env": "TOKEN=1"})
    (folder / "settings.txt").symlink_to(".env")
    packed = pack(folder)
    assert packed.files == ("workflows/fraud.py",)
    assert "settings.txt" in packed.warnings[0]


def test_a_repository_inside_is_left_out_with_a_warning(folder: Path) -> None:
    inner = _write(folder / "vendor" / "lib", {"a.py": ""})
    _committed(inner)
    _git(folder, "init", "-q")
    packed = pack(folder)
    assert packed.files == ("workflows/fraud.py",)
    assert packed.warnings == ("vendor/lib is a git repository of its own: its files are left out",)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are a POSIX thing")
def test_a_pipe_is_left_out_and_not_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    packed = pack(folder)
    assert packed.files == ("workflows/fraud.py",)
    assert packed.warnings == ("pipe is not a plain file: left out",)


@pytest.mark.parametrize("name", [b"bad\xff.py", b"new\nline.py", b"back\\slash.py"])
@pytest.mark.parametrize("in_git", [True, False])
def test_a_name_no_bundle_can_hold_is_refused(folder: Path, name: bytes, in_git: bool) -> None:
    (folder / os.fsdecode(name)).write_text("")
    if in_git:
        _committed(folder)
    with pytest.raises(Invalid, match="cannot be in a bundle"):
        pack(folder)


def test_too_much_is_refused_naming_the_largest_files(folder: Path) -> None:
    for name, size in (("weights.bin", 40 * 2**20), ("table.bin", 11 * 2**20)):
        with (folder / name).open("wb") as file:
            file.truncate(size)
    with pytest.raises(TooLarge) as caught:
        pack(folder)
    assert "weights.bin (41.9 MB), table.bin (11.5 MB), workflows/fraud.py" in caught.value.why
    assert ".gitignore" in caught.value.mend


def test_no_workflow_file_is_told(folder: Path) -> None:
    (folder / "workflows" / "fraud.py").rename(folder / "workflows" / "fraud.txt")
    with pytest.raises(Invalid, match="workflows/ holds no Python file"):
        pack(folder)


def test_a_lock_that_git_ignores_is_told(folder: Path) -> None:
    _settings(folder, 'lock = "my.lock"')
    _write(folder, {"my.lock": "", ".gitignore": "*.lock\n"})
    with pytest.raises(Invalid, match=r"the lock my\.lock does not get into the bundle"):
        pack(folder)


def test_a_lock_that_is_there_but_not_named_is_a_warning(folder: Path) -> None:
    packed = pack(_write(folder, {"requirements.lock": "numpy==2.4.6\n"}))
    assert packed.manifest.lock is None
    assert 'lock = "requirements.lock"' in packed.warnings[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            'nmae = "x"',
            "tool.railyard.nmae: expected one of name, python, lock, workflows, got 'nmae'; did you mean name?",
        ),
        ("name = 3", "tool.railyard.name: expected text, got 3"),
        ('name = "../x"', "tool.railyard.name: expected at most 128 letters"),
        ('name = ""', "tool.railyard.name: expected"),
        ('python = "3"', "tool.railyard.python: expected a minor version from 3.11 on, such as 3.12, got '3'"),
        ('python = "3.10"', "tool.railyard.python"),
        ('python = "3.12.1"', "tool.railyard.python"),
        ('python = ">=3.11"', "tool.railyard.python"),
        ('lock = "nope.lock"', "tool.railyard.lock: expected a file that is there, got 'nope.lock'"),
        ('lock = "/etc/passwd"', "tool.railyard.lock: expected a path inside the project"),
        ('lock = "../x"', "tool.railyard.lock: expected a path inside the project"),
        ('lock = ""', "tool.railyard.lock: expected a path inside the project"),
        ('workflows = "jobs"', "tool.railyard.workflows: expected a folder that is there, got 'jobs'"),
        ('workflows = "."', "tool.railyard.workflows: expected a path inside the project"),
    ],
)
def test_settings_that_do_not_hold_are_told_by_path(folder: Path, text: str, told: str) -> None:
    _settings(folder, text)
    with pytest.raises(Invalid) as caught:
        pack(folder)
    assert told in caught.value.why
    assert caught.value.fields[0].path.startswith("tool.railyard")
    assert str(folder / "pyproject.toml") in caught.value.mend


def test_toml_that_does_not_parse_is_told_with_its_line(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.railyard\n")
    with pytest.raises(Invalid, match="line 1"):
        pack(folder)


@pytest.mark.parametrize("text", ["[tool]\nrailyard = 3", "tool = 3"])
def test_a_tool_table_of_the_wrong_kind_does_not_crash(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    if text.startswith("tool"):
        assert find_project(folder).name == "fraud"
    else:
        with pytest.raises(Invalid, match="expected a table"):
            find_project(folder)


def test_a_folder_without_a_project_is_told(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="is not in a code project") as caught:
        find_project(tmp_path / "empty")
    assert caught.value.code == "no_project"
    with pytest.raises(NotFound, match="is not here"):
        find_project(tmp_path / "missing")


def test_importing_the_packer_loads_nothing_heavy() -> None:
    script = (
        "import sys, railyard.client.code;"
        "print([m for m in ('pathspec', 'httpx2', 'obstore', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
