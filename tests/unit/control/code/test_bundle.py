"""Reading a bundle that somebody sent: everything that is not plain files in a plain zip is refused before it is written."""

from __future__ import annotations

import io
import json
import stat
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railyard.client.code import pack
from railyard.control.code import bundle as bundle_module
from railyard.control.code.bundle import read_bundle, unpack
from railyard.errors import Invalid, TooLarge

WORKFLOW = b"class A(Workflow): pass\n"
GOOD = {"project": "fraud", "workflows": "workflows"}


def _zip(files: Mapping[str, bytes] | None = None, manifest: Any = GOOD, *, compress: bool = False) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        if manifest is not None:
            archive.writestr("bundle.json", manifest if isinstance(manifest, bytes) else json.dumps(manifest))
        for name, data in ({"workflows/a.py": WORKFLOW} if files is None else files).items():
            archive.writestr(name, data)
    return content.getvalue()


def _with(*entries: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    content = io.BytesIO(_zip())
    with zipfile.ZipFile(content, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        for entry, data in entries:
            archive.writestr(entry, data)
    return content.getvalue()


def _refused(content: bytes, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_bundle(content)
    assert caught.value.code == "bad_bundle"
    assert told in caught.value.why
    assert "railyard deploy" in caught.value.mend


def test_what_the_client_packs_is_read_and_unpacked_the_same(tmp_path: Path) -> None:
    project = tmp_path / "fraud"
    for name, text in (("workflows/a.py", "A"), ("lib/ünï.txt", "B"), ("requirements.lock", "numpy==2.4.6\n")):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (project / "pyproject.toml").write_text('[tool.railyard]\nlock = "requirements.lock"\npython = "3.12"\n')
    packed = pack(project)
    bundle = read_bundle(packed.zip_bytes)
    assert (bundle.code_id, bundle.manifest, bundle.lock) == (packed.code_id, packed.manifest, "numpy==2.4.6\n")
    assert tuple(sorted(bundle.files)) == packed.files

    unpack(packed.zip_bytes, tmp_path / "out" / "c1")
    found = {
        path.relative_to(tmp_path / "out" / "c1").as_posix()
        for path in (tmp_path / "out" / "c1").rglob("*")
        if path.is_file()
    }
    assert found == {*packed.files, "bundle.json"}
    assert (tmp_path / "out" / "c1" / "lib" / "ünï.txt").read_text() == "B"
    assert stat.S_IMODE((tmp_path / "out" / "c1" / "workflows" / "a.py").stat().st_mode) == 0o444
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c1"]


def test_unpacking_what_is_there_is_no_error(tmp_path: Path) -> None:
    unpack(_zip(), tmp_path / "c1")
    unpack(_zip(), tmp_path / "c1")
    assert [path.name for path in tmp_path.iterdir()] == ["c1"]


def test_a_compressed_bundle_of_another_packer_is_fine() -> None:
    assert read_bundle(_zip(compress=True)).files["workflows/a.py"] == WORKFLOW


def test_folders_of_a_zip_are_passed_over() -> None:
    assert set(read_bundle(_with((zipfile.ZipInfo("lib/"), b""))).files) == {"workflows/a.py"}


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "a//b", "./a", "a/.", "..", "C:/x", "c:x", "a\\..\\x", "a\nb", "a\x7fb", "n" * 300, "d/" * 600 + "x"],
)  # fmt: skip
def test_a_name_that_leads_out_or_confuses_is_refused(name: str) -> None:
    _refused(_with((zipfile.ZipInfo(name), b"x")), "the entry")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind: int) -> None:
    entry = zipfile.ZipInfo("link")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    _refused(_with((entry, b"/etc/passwd")), "is a link or a device")


def test_two_entries_of_one_name_are_refused() -> None:
    _refused(_with((zipfile.ZipInfo("x"), b"1"), (zipfile.ZipInfo("x"), b"2")), "two entries are named 'x'")
    both = (zipfile.ZipInfo("caf\u00e9"), b"1"), (zipfile.ZipInfo("cafe\u0301"), b"2")
    _refused(_with(*both), "two entries are named")


def test_a_name_that_is_file_and_folder_is_refused() -> None:
    _refused(_with((zipfile.ZipInfo("a"), b"1"), (zipfile.ZipInfo("a/b"), b"2")), "'a' is both a file and a folder")


def test_a_bomb_by_ratio_is_refused() -> None:
    _refused(_zip({"workflows/a.py": b"\0" * 20_000_000}, compress=True), "more than 200 times its size")


def test_a_bomb_by_size_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    content = _zip({f"workflows/{number}.py": b"\0" * 30_000_000 for number in range(2)}, compress=True)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(TooLarge, match=r"unpacks to 60\.0 MB"):
        read_bundle(content)


def test_a_size_that_lies_is_refused() -> None:
    content = bytearray(_zip({"workflows/a.py": b"a" * 1000}, compress=True))
    listed = content.rindex(b"PK\x01\x02")
    content[listed + 24 : listed + 28] = struct.pack("<I", 10)  # the list says 10 bytes, the data holds 1000
    _refused(bytes(content), "the zip cannot be read")


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "MAX_FILES", 3)
    with pytest.raises(TooLarge, match="more than 3 files"):
        read_bundle(_zip({f"workflows/{number}.py": b"" for number in range(4)}))


def test_an_enormous_list_of_entries_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(_zip())
    content[-10:-6] = struct.pack("<I", 100 * 2**20)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(TooLarge):
        read_bundle(bytes(content))


def test_an_encrypted_entry_is_refused() -> None:
    content = bytearray(_zip())
    at = content.rindex(b"PK\x01\x02")
    content[at + 8] |= 0x1
    _refused(bytes(content), "is encrypted")


def test_a_compression_nobody_here_reads_is_refused() -> None:
    entry = zipfile.ZipInfo("x")
    entry.compress_type = zipfile.ZIP_LZMA
    _refused(_with((entry, b"1")), "is compressed in a way that is not read here")


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"hello" * 100, b"\x1f\x8b" + b"x" * 100, _zip()[:-1], _zip() + b"tail", b"PK\x05\x06" + b"\0" * 18],
)
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        read_bundle(content)


def test_a_zip_with_a_comment_is_refused() -> None:
    content = io.BytesIO(_zip())
    with zipfile.ZipFile(content, "a") as archive:
        archive.comment = b"hello"
    _refused(content.getvalue(), "not a plain zip")


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (None, "holds no bundle.json"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'{"project": "a", "project": "b"}', "is not JSON"),
        (b"[" * 60_000, "is not JSON"),
        (b" " * 70_000, "too large"),
        ([], "bundle.json"),
        ({}, "project"),
        ({**GOOD, "format": 2}, "format does not hold: 2"),
        ({**GOOD, "project": "../x"}, "project does not hold"),
        ({**GOOD, "project": "a\u0000b"}, "project does not hold"),
        ({**GOOD, "python": "3.12; rm -rf"}, "python does not hold"),
        ({**GOOD, "python": 3.12}, "python"),
        ({**GOOD, "git_sha": "main"}, "git_sha does not hold"),
        ({**GOOD, "workflows": "../x"}, "workflows does not hold"),
        ({**GOOD, "workflows": "other"}, "other/ holds no Python file"),
        ({**GOOD, "lock": "nope.lock"}, "names the lock 'nope.lock', which it does not hold"),
        ({**GOOD, "lock": "../../etc/passwd"}, "which it does not hold"),
    ],
)
def test_a_bundle_json_that_does_not_hold_is_refused(manifest: Any, told: str) -> None:
    _refused(_zip(manifest=manifest), told)


def test_a_lock_that_is_no_text_is_refused() -> None:
    _refused(_zip({"workflows/a.py": b"", "l": b"\xff\xfe"}, {**GOOD, "lock": "l"}), "the lock l is not UTF-8 text")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damage_anywhere_is_refused_or_harmless(data: st.DataObject) -> None:
    content = bytearray(_zip({"workflows/a.py": WORKFLOW, "lib/b.py": b"x" * 50}, compress=True))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read_bundle(bytes(content))
    except (Invalid, TooLarge):
        return
    assert all(not name.startswith("/") and ".." not in name.split("/") for name in found.files)
