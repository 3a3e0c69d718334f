"""A bundle is what its manifest says, to the byte, or it is refused."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from railyard import bundles
from railyard.bundles.manifest import BundleFile, Column, Loader, Output, Producer, canonical_json, parse_manifest
from railyard.errors import Invalid

FIELDS: dict[str, Any] = {
    "name": "fraud",
    "format": "xgboost_ubj",
    "task": "binary",
    "label": "is_fraud",
    "inputs": (Column(name="größe", dtype="float64", nullable=True),),
    "outputs": (Output(name="score", dtype="float32"),),
    "producer": Producer(framework="xgboost", version="3.2.0", job="j1", attempt=1, workflow="Fraud"),
    "loader": Loader(kind="booster", file="model.ubj"),
    "engine_preference": ("xgboost_ubj",),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "model"
    (place / "parts").mkdir(parents=True)
    (place / "model.ubj").write_bytes(b"trees")
    (place / "parts" / "vocab.json").write_bytes(b"{}")
    bundles.write(place, **FIELDS)
    return place


def refused(folder: Path) -> str:
    with pytest.raises(Invalid) as caught:
        bundles.check(folder)
    assert caught.value.code == "bad_bundle"
    return caught.value.message


def rewrite(folder: Path, **changes: Any) -> None:
    """Writes the manifest again with other values, canonical all the same."""
    value = json.loads((folder / "manifest.json").read_bytes()) | changes
    (folder / "manifest.json").write_bytes(canonical_json(value))


def test_a_bundle_holds_what_was_written(folder):
    bundle = bundles.check(folder)
    assert [(file.path, file.size) for file in bundle.manifest.files] == [("model.ubj", 5), ("parts/vocab.json", 2)]
    assert bundle.bytes == 7
    assert bundle.manifest.label == "is_fraud"


def test_the_model_id_is_arithmetic_on_the_manifests_bytes(folder):
    import hashlib

    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert bundles.read(folder).model_id == bundles.model_id("fraud", digest) == f"fraud:{digest[:12]}"


def test_the_same_model_has_the_same_id_wherever_it_lies(folder, tmp_path):
    other = tmp_path / "elsewhere"
    (other / "parts").mkdir(parents=True)
    (other / "parts" / "vocab.json").write_bytes(b"{}")
    (other / "model.ubj").write_bytes(b"trees")
    assert bundles.write(other, **FIELDS).model_id == bundles.read(folder).model_id


def test_a_signature_may_stand_beside_the_manifest(folder):
    (folder / "manifest.sig").write_bytes(b"signature")
    assert bundles.check(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda place: (place / "model.ubj").write_bytes(b"treez"), "model.ubj has sha256"),
        (lambda place: (place / "model.ubj").write_bytes(b"tree"), "model.ubj has 4 bytes; the manifest says 5"),
        (lambda place: (place / "model.ubj").unlink(), "model.ubj cannot be opened"),
        (lambda place: (place / "extra.pkl").write_bytes(b""), "holds extra.pkl, which its manifest does not list"),
        (lambda place: (place / "parts" / ".hidden").write_bytes(b""), "holds parts/.hidden"),
        (lambda place: (place / "manifest.json").unlink(), "manifest.json cannot be opened"),
        (lambda place: (place / "manifest.json").write_bytes(b"[]"), "does not hold at"),
        (lambda place: (place / "manifest.json").write_bytes(b"\xff"), "no|not strict JSON"),
        (lambda place: (place / "manifest.json").write_bytes(b"[" * 100_000), "manifest"),
        (lambda place: (place / "manifest.json").write_bytes(b" " * (2**20 + 1)), "at most 1048576"),
    ],
)
def test_damage_is_told(folder, damage, message):
    import re

    damage(folder)
    assert re.search(message, refused(folder))


def _swap_for_link(place: Path, name: str) -> None:
    target = place.parent / "outside"
    (place / name).rename(target)
    (place / name).symlink_to(target)


def test_links_are_never_followed(folder):
    _swap_for_link(folder, "model.ubj")
    assert "model.ubj is a link" in refused(folder)


def test_a_folder_that_is_a_link_is_never_followed(folder):
    _swap_for_link(folder, "parts")
    assert "parts is a link" in refused(folder)


def test_a_manifest_that_is_a_link_is_never_followed(folder):
    _swap_for_link(folder, "manifest.json")
    assert "manifest.json cannot be opened" in refused(folder)


def test_a_hard_link_is_no_file_of_its_own(folder):
    os.link(folder / "model.ubj", folder.parent / "second-name")
    assert "model.ubj is not a plain file of its own" in refused(folder)


def test_a_pipe_does_not_hang_the_reader(folder):
    (folder / "model.ubj").unlink()
    os.mkfifo(folder / "model.ubj")
    assert "not a plain file" in refused(folder)


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "/etc/passwd",
        "a/../../b",
        "a//b",
        "./a",
        "a\\b",
        "",
        "manifest.json",
        "manifest.sig",
        "a\nb",
        "x" * 600,
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(folder, path):
    rewrite(folder, files=[{"path": path, "sha256": "0" * 64, "size": 1}])
    assert "does not hold at files.0.path" in refused(folder)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"run": "code"}, "run"),
        ({"engine_preference": ["pickle"]}, "engine_preference"),
        ({"engine_preference": []}, "engine_preference"),
        ({"format": "joblib"}, "format"),
        ({"format_version": 2}, "format_version"),
        ({"name": "../x"}, "name"),
        ({"loader": {"kind": "eval"}}, "loader.kind"),
        ({"loader": {"kind": "booster", "hook": "x"}}, "loader.hook"),
        ({"files": [{"path": "a", "sha256": "xyz", "size": 1}]}, "files.0.sha256"),
        ({"files": [{"path": "a", "sha256": "0" * 64, "size": -1}]}, "files.0.size"),
        ({"golden": {"n": 1}}, "golden"),
    ],
)
def test_the_schema_is_closed(folder, changes, where):
    rewrite(folder, **changes)
    assert f"does not hold at {where}" in refused(folder)


def test_a_file_listed_twice_is_refused(folder):
    listed = json.loads((folder / "manifest.json").read_bytes())["files"]
    rewrite(folder, files=[*listed, listed[0]])
    assert "lists a file twice" in refused(folder)


@pytest.mark.parametrize(
    "spelling",
    [
        lambda raw: raw + b"\n",
        lambda raw: raw.replace(b",", b", ", 1),
        lambda raw: raw.replace("ö".encode(), b"\\u00f6"),
        lambda raw: b'{"label":null,' + raw[1:].replace(b'"label":"is_fraud",', b""),
    ],
)
def test_a_manifest_has_one_spelling(folder, spelling):
    raw = spelling((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_bytes(raw)
    assert "canonical" in refused(folder)


def test_a_repeated_key_is_no_strict_json(folder):
    raw = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").write_bytes(raw.replace(b'{"engine', b'{"name":"other","engine', 1))
    assert "stands twice" in refused(folder)


def test_the_places_of_golden_rows_and_resources_are_kept(folder):
    rewrite(
        folder, golden={"n": 256, "n_boundary": 3, "atol": 1e-7, "rtol": 1e-6}, resources={"onnx": {"load_ms": 1.5}}
    )
    manifest = bundles.check(folder).manifest
    assert manifest.golden is not None
    assert manifest.golden.n == 256


def test_an_empty_folder_is_no_bundle(tmp_path):
    with pytest.raises(Invalid, match="holds no model file"):
        bundles.write(tmp_path, **FIELDS)


def test_numbers_that_json_cannot_hold_never_reach_a_manifest(tmp_path):
    (tmp_path / "model.ubj").write_bytes(b"x")
    loader = Loader(kind="booster", params={"missing": float("nan")})
    with pytest.raises((ValueError, ValidationError)):
        bundles.write(tmp_path, **{**FIELDS, "loader": loader})
    assert not (tmp_path / "manifest.json").exists()


JSON = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(params=st.dictionaries(st.text(), JSON, max_size=4), label=st.none() | st.text())
def test_every_manifest_reads_back_as_it_was(params, label):
    manifest = bundles.Manifest(
        files=(BundleFile(path="a/b", size=1, sha256="0" * 64),),
        **{**FIELDS, "label": label, "loader": Loader(kind="sklearn", params=params)},
    )
    assert parse_manifest(manifest.canonical()) == manifest


def test_the_room_imports_no_library_of_models():
    allowed = {"pydantic", "railyard"} | sys.stdlib_module_names
    for file in Path(bundles.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            assert {name.split(".")[0] for name in names} <= allowed
            ours = [name for name in names if name.startswith("railyard.")]
            assert all(name.startswith(("railyard.bundles", "railyard.spec", "railyard.errors")) for name in ours)
