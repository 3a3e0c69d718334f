"""The manifest of a model bundle: strict, canonical, and the model's identity.

See docs: a model id is arithmetic on these bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue, ValidationError

from railyard.errors import Invalid
from railyard.spec.base import Name, Spec
from railyard.spec.jsonc import parse_strict

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
"""Written by the server at commit; the only file besides the manifest that the manifest does not list."""
MOST_MANIFEST_BYTES = 2**20

ModelFormat = Literal["xgboost_ubj", "lightgbm_txt", "cloudpickle", "custom"]
Engine = Literal["onnx", "xgboost_ubj", "lightgbm_txt", "worker"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _inside(path: str) -> str:
    parts = path.split("/")
    if not path or path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise ValueError("expected a relative path inside the bundle")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise ValueError("expected a path without control characters")
    if path in (MANIFEST, SIGNATURE):
        raise ValueError(f"{path} is not a file that a manifest lists")
    return path


class BundleFile(Spec):
    """One file of a bundle; nothing outside this list is ever opened."""

    path: Annotated[str, Field(max_length=512), AfterValidator(_inside)]
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256


class Column(Spec):
    """One input, in the order of the training."""

    name: str
    dtype: str
    """As the training's own frame library names it."""
    nullable: bool
    """Whether the training held missing values."""


class Output(Spec):
    name: str
    dtype: str
    classes: tuple[str | int | float | bool, ...] | None = None
    """The classes behind the columns of a score with several."""


class Producer(Spec):
    """Where a model comes from."""

    framework: str
    version: str
    job: str
    attempt: int
    workflow: str
    code_id: str | None = None
    git_sha: str | None = None
    converter: str | None = None
    converter_version: str | None = None


class Loader(Spec):
    """What it takes to make the fitted object again from its native file."""

    kind: Literal["booster", "sklearn", "pickle", "custom"]
    file: str | None = None
    """The model's own file; None where the workflow's deserialize reads the folder."""
    class_name: str | None = None
    """`xgboost.sklearn.XGBClassifier`: the wrapper around a Booster."""
    params: dict[str, JsonValue] = Field(default_factory=dict)
    state: dict[str, JsonValue] = Field(default_factory=dict)
    """Fitted attributes of the wrapper that its Booster does not carry."""


class Golden(Spec):
    """Rows with known scores, checked by whoever loads the model."""

    n: int
    n_boundary: int = 0
    atol: float
    rtol: float


class Manifest(Spec):
    """manifest.json."""

    format_version: Literal[1] = 1
    kind: Literal["model", "meta"] = "model"
    name: Name
    format: ModelFormat
    task: Literal["binary", "multiclass", "regression", "none"]
    label: str | None = None
    inputs: tuple[Column, ...]
    outputs: tuple[Output, ...]
    producer: Producer
    loader: Loader
    engine_preference: Annotated[tuple[Engine, ...], Field(min_length=1)]
    files: tuple[BundleFile, ...]
    objective: str | None = None
    link: str | None = None
    resources: dict[str, dict[str, float]] | None = None
    """By engine: resident_bytes, score_us_p50, load_ms."""
    golden: Golden | None = None

    def canonical(self) -> bytes:
        """The bytes of manifest.json: sorted keys, no spaces, UTF-8, absent optionals left out."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical()).hexdigest()

    @property
    def model_id(self) -> str:
        return model_id(self.name, self.sha256)


def model_id(name: str, manifest_sha256: str) -> str:
    """`<model_name>:<12 hex>`."""
    return f"{name}:{manifest_sha256[:12]}"


def canonical_json(value: Any) -> bytes:
    """One spelling for one value. Raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def parse_manifest(raw: bytes) -> Manifest:
    """manifest.json as a Manifest.

    Raises Invalid `bad_bundle`: too large, no strict JSON, an unknown key, not canonical.
    """
    if len(raw) > MOST_MANIFEST_BYTES:
        raise bad_bundle(f"the manifest has {len(raw)} bytes; at most {MOST_MANIFEST_BYTES} are read")
    try:
        manifest = Manifest.model_validate(parse_strict(raw.decode("utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise bad_bundle(f"the manifest does not hold at {where or '$'}: {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise bad_bundle(f"the manifest is not strict JSON: {error}") from None
    paths = [file.path for file in manifest.files]
    if len(set(paths)) != len(paths):
        raise bad_bundle("the manifest lists a file twice")
    if manifest.canonical() != raw:
        raise bad_bundle("the manifest is not in canonical form, so its hash names nothing")
    return manifest


def bad_bundle(message: str, mend: str = "save the model again; a bundle is never edited") -> Invalid:
    """What is raised for every bundle that does not hold."""
    return Invalid(message, code="bad_bundle", mend=mend)
