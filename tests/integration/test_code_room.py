"""The code room on a real database: register, prepare, deploy, resolve, place; what goes wrong is told and kept apart."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from railyard.artifacts.store import ArtifactStore, open_store
from railyard.client.code import PackedCode, pack
from railyard.control.code import room as room_module
from railyard.control.code.room import CodeRoom
from railyard.control.code.runtimes import RuntimeBroken, Runtimes, Wanted
from railyard.control.db.engine import Database, conninfo
from railyard.control.db.listen import QUEUE
from railyard.control.executors.base import Capacity, Launch, Observation, Runtime, Started
from railyard.control.executors.places import Broken, Place, Waiting
from railyard.errors import Ambiguous, Conflict, Invalid, NotFound, RailyardError, Unavailable
from railyard.spec.records import CodeVersion

ONE = "import railyard\n\n\nclass {}(railyard.Workflow):\n    '''What it does.'''\n"


class Discoverer:
    """An executor that only answers `discover`, as told: by default what stands in the files, with a label."""

    name = "double"

    def __init__(self) -> None:
        self.asked: list[tuple[Runtime, Mapping[str, Any]]] = []
        self.answer: list[dict[str, Any]] | Exception | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def ask(
        self, runtime: Runtime, question: str, body: Mapping[str, Any], *, timeout_seconds: float
    ) -> Mapping[str, Any]:
        assert question == "discover"
        self.asked.append((runtime, body))
        await self.go_on.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return {"workflows": self.answer}
        files = sorted((Path(body["folder"]) / body["workflows"]).glob("*.py"))
        names = [
            line.split()[1].partition("(")[0]
            for file in files
            for line in file.read_text().splitlines()
            if line[:5] == "class"
        ]
        return {"workflows": [{"name": name, "file": "workflows/a.py", "label": "loaded"} for name in names]}

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def capacity(self) -> Capacity:
        return Capacity(cpu=1, memory_bytes=1)

    async def start(self, launch: Launch) -> Started:
        raise NotImplementedError

    async def observe(self) -> Mapping[str, Observation]:
        return {}

    async def cancel(self, name: str, *, grace_seconds: float) -> None: ...
    async def remove(self, name: str) -> None: ...


class Builder(Runtimes):
    """Runtimes that are built in no time, or fail with the words given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, program="/nonexistent/uv")
        self.words: str | None = None
        self.builds = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def _build(self, want: Wanted) -> None:
        self.builds += 1
        await self.go_on.wait()
        if self.words is not None:
            raise RuntimeBroken(self.words)
        python = self._python(want.key)
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
        (self._folder / want.key / "ready.json").write_text("{}")


@pytest.fixture
def discoverer() -> Discoverer:
    return Discoverer()


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    return Builder(tmp_path / "home" / "runtimes")


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return open_store(tmp_path / "artifacts")


@pytest.fixture
async def room(
    database: Database, artifacts: ArtifactStore, tmp_path: Path, discoverer: Discoverer, builder: Builder
) -> AsyncIterator[CodeRoom]:
    found = CodeRoom(database, artifacts, tmp_path / "home", discoverer, runtimes=builder)
    yield found
    await found.close()


def _packed(
    folder: Path,
    *classes: str,
    name: str = "fraud",
    lock: str | None = None,
    python: str | None = None,
    extra: str = "",
) -> PackedCode:
    """A bundle with one file of workflow classes; `extra` makes it another bundle."""
    project = folder / "projects" / name
    (project / "workflows").mkdir(parents=True, exist_ok=True)
    (project / "workflows" / "a.py").write_text(extra + "".join(ONE.format(each) for each in classes))
    values = {"name": name, "lock": "requirements.lock" if lock is not None else None, "python": python}
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    (project / "pyproject.toml").write_text("[tool.railyard]\n" + "\n".join(lines) + "\n")
    if lock is not None:
        (project / "requirements.lock").write_text(lock)
    return pack(project)


async def _ready(room: CodeRoom, packed: PackedCode) -> CodeVersion:
    version = await room.register(packed.zip_bytes, "ada")
    return await room.settled(version.code_id)


async def test_workflows_are_known_at_once_and_loaded_in_the_background(
    room: CodeRoom, tmp_path: Path, discoverer: Discoverer
) -> None:
    discoverer.go_on.clear()
    packed = _packed(tmp_path, "Fraud", "Risk")
    version = await room.register(packed.zip_bytes, "ada")
    assert (version.code_id, version.project, version.state, version.created_by) == (
        packed.code_id,
        "fraud",
        "building",
        "ada",
    )
    assert [(info.name, info.doc, info.label) for info in version.workflows] == [
        ("Fraud", "What it does.", None),
        ("Risk", "What it does.", None),
    ]
    assert (await room.resolve(packed.code_id, "Fraud")).state == "building"
    assert isinstance(await room.place(packed.code_id), Waiting)
    discoverer.go_on.set()
    version = await room.settled(packed.code_id)
    assert (version.state, version.runtime) == ("ready", "server")
    assert [info.label for info in version.workflows] == ["loaded", "loaded"]


async def test_the_same_bytes_are_the_same_version_however_often_they_come(
    room: CodeRoom, tmp_path: Path, discoverer: Discoverer
) -> None:
    packed = _packed(tmp_path, "Fraud")
    first = await asyncio.gather(*(room.register(packed.zip_bytes, f"user{number}") for number in range(4)))
    await room.settled(packed.code_id)
    again = await room.register(packed.zip_bytes, "grace")
    assert again.state == "ready"
    assert again.created_by == first[0].created_by
    assert len(discoverer.asked) == 1
    assert len((await room.list()).items) == 1


async def test_a_ready_version_has_a_place_with_its_code_and_interpreter(room: CodeRoom, tmp_path: Path) -> None:
    packed = _packed(tmp_path, "Fraud")
    await _ready(room, packed)
    place = await room.place(packed.code_id)
    assert isinstance(place, Place)
    assert (Path(place.folder) / "workflows" / "a.py").read_text() == ONE.format("Fraud")
    assert place.runtime == Runtime(key="server", python=sys.executable)
    assert (place.project, place.git_sha, place.dirty) == ("fraud", None, False)
    assert await room.place(packed.code_id) == place


async def test_a_job_without_code_has_a_place_too(room: CodeRoom) -> None:
    place = await room.place(None)
    assert isinstance(place, Place)
    assert place.runtime.key == "server"
    assert list(Path(place.folder).iterdir()) == []


async def test_code_with_a_lock_gets_a_runtime_of_its_own_once_per_lock(
    room: CodeRoom, tmp_path: Path, builder: Builder, discoverer: Discoverer
) -> None:
    builder.go_on.clear()
    bundles = [
        _packed(tmp_path, "A", name=name, lock=lock)
        for name, lock in (("one", "x==1\n"), ("two", "x==1\n"), ("three", "x==2\n"))
    ]
    for packed in bundles:
        await room.register(packed.zip_bytes, "ada")
    assert isinstance(await room.place(bundles[0].code_id), Waiting)
    while builder.builds < 2:
        await asyncio.sleep(0.01)
    told = await room.get(bundles[0].code_id)
    assert (told.state, len(told.runtime)) == ("building", 16)
    assert (told.message or "").startswith("building the runtime: Python 3.")
    builder.go_on.set()
    versions = [await room.settled(packed.code_id) for packed in bundles]
    assert [version.state for version in versions] == ["ready"] * 3
    assert versions[0].runtime == versions[1].runtime != versions[2].runtime
    assert builder.builds == 2
    place = await room.place(bundles[2].code_id)
    assert isinstance(place, Place)
    assert place.runtime.key == versions[2].runtime
    assert {runtime.key for runtime, _ in discoverer.asked} == {version.runtime for version in versions}


async def test_another_python_without_a_lock_is_a_runtime_too(room: CodeRoom, tmp_path: Path) -> None:
    version = await _ready(room, _packed(tmp_path, "A", python="3.99"))
    assert version.state == "broken"
    assert "Python 3.99 is not on this machine" in (version.message or "")


async def test_a_runtime_that_cannot_be_built_breaks_the_version_in_uvs_words(
    room: CodeRoom, tmp_path: Path, builder: Builder
) -> None:
    builder.words = "error: because x==1 and x==2 disagree"
    packed = _packed(tmp_path, "Fraud", lock="x==1\n")
    version = await _ready(room, packed)
    assert (version.state, version.message) == ("broken", builder.words)
    place = await room.place(packed.code_id)
    assert isinstance(place, Broken)
    assert place.message == builder.words
    with pytest.raises(Invalid, match="cannot run") as caught:
        await room.resolve(packed.code_id, "Fraud")
    assert (caught.value.code, caught.value.why) == ("broken_code", builder.words)
    with pytest.raises(Invalid, match="cannot be deployed") as caught:
        await room.deploy(packed.code_id, None, "ada")
    assert caught.value.why == builder.words


async def test_a_failure_is_remembered_for_a_minute_and_then_tried_again(
    room: CodeRoom, tmp_path: Path, builder: Builder, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder.words = "error: the index is away"
    packed = _packed(tmp_path, "Fraud", lock="x==1\n")
    await _ready(room, packed)
    assert (await _ready(room, packed)).state == "broken"
    assert (await _ready(room, _packed(tmp_path, "Fraud", lock="x==1\n", extra="#\n"))).message == builder.words
    assert builder.builds == 1
    builder.words = None
    monkeypatch.setattr(room_module, "RETRY_SECONDS", 0.0)
    assert (await _ready(room, packed)).state == "ready"
    assert builder.builds == 2


async def test_discovery_that_fails_breaks_the_version_until_it_is_sent_again(
    room: CodeRoom, tmp_path: Path, discoverer: Discoverer
) -> None:
    packed = _packed(tmp_path, "Fraud")
    discoverer.answer = RailyardError("the runtime did not answer", why="it died")
    version = await _ready(room, packed)
    assert (version.state, version.message) == ("broken", "the runtime did not answer\nit died")
    discoverer.answer = None
    assert (await _ready(room, packed)).state == "ready"


async def test_a_part_of_the_server_that_is_away_breaks_nothing(
    room: CodeRoom, tmp_path: Path, discoverer: Discoverer
) -> None:
    packed = _packed(tmp_path, "Fraud")
    discoverer.answer = Unavailable("the executor cannot be seen")
    assert (await _ready(room, packed)).state == "building"
    discoverer.answer = None
    assert isinstance(await room.place(packed.code_id), Waiting)
    assert (await room.settled(packed.code_id)).state == "ready"


async def test_a_file_that_does_not_load_keeps_its_workflows_known_by_name(
    room: CodeRoom, tmp_path: Path, discoverer: Discoverer
) -> None:
    packed = _packed(tmp_path, "Fraud")
    trace = "Traceback (most recent call last):\n  …\nModuleNotFoundError: No module named 'nope'"
    discoverer.answer = [
        {"name": "a", "file": "workflows/a.py", "broken": trace},
        {"name": "Other", "file": "workflows/b.py"},
        {"name": "c", "file": "workflows/c.py", "broken": "SyntaxError: x"},
    ]
    version = await _ready(room, packed)
    assert version.state == "ready"
    assert {info.name: bool(info.broken) for info in version.workflows} == {"Fraud": True, "Other": False, "c": True}
    with pytest.raises(Invalid, match="ModuleNotFoundError: No module named 'nope'") as caught:
        await room.resolve(packed.code_id, "Fraud")
    assert caught.value.code == "broken_workflow"
    assert caught.value.fields[0].path == "train.workflow_name"
    assert (await room.deploy(packed.code_id, "1", "ada")).version == "1"
    assert (await room.resolve(None, "Other")).code_id == packed.code_id


async def test_what_user_code_says_can_always_be_stored(room: CodeRoom, tmp_path: Path, discoverer: Discoverer) -> None:
    schema = {"default": float("nan"), "title": "a\0b", "list": [float("inf"), 1.5]}
    discoverer.answer = [{"name": "Fraud", "file": "workflows/a.py", "doc": "x\0\ud800", "param_schema": schema}]
    version = await _ready(room, _packed(tmp_path, "Fraud"))
    assert version.state == "ready"
    assert version.workflows[0].doc == "x\N{REPLACEMENT CHARACTER}?"
    assert version.workflows[0].param_schema == {
        "default": None,
        "title": "a\N{REPLACEMENT CHARACTER}b",
        "list": [None, 1.5],
    }


async def test_a_plain_request_runs_the_newest_deployed_code(room: CodeRoom, tmp_path: Path) -> None:
    first, second, third = (_packed(tmp_path, "Fraud", extra=f"# {number}\n") for number in range(3))
    for packed in (first, second, third):
        await _ready(room, packed)
    with pytest.raises(Invalid):
        await room.resolve(None, "Fraud")
    await room.deploy(first.code_id, "1", "ada")
    await room.deploy(second.code_id, "2", "ada")
    assert (await room.resolve(None, "Fraud")).code_id == second.code_id
    await room.deploy(first.code_id, None, "ada")  # back to the first, under the version it has
    found = await room.resolve(None, "Fraud")
    assert (found.code_id, found.version) == (first.code_id, "1")
    assert (await room.resolve(third.code_id, "Fraud")).code_id == third.code_id
    assert (await room.resolve("fraud@2", "Fraud")).code_id == second.code_id


async def test_an_unknown_workflow_is_refused_with_the_nearest_name(room: CodeRoom, tmp_path: Path) -> None:
    packed = _packed(tmp_path, "StripeFraudModel", "Risk")
    await _ready(room, packed)
    for code in (None, packed.code_id):
        if code is None:
            await room.deploy(packed.code_id, None, "ada")
        with pytest.raises(Invalid) as caught:
            await room.resolve(code, "StripeFraudModle")
        error = caught.value
        assert error.code == "unknown_workflow"
        assert error.fields[0].path == "train.workflow_name"
        assert error.fields[0].nearest == "StripeFraudModel"
        assert error.mend == "did you mean StripeFraudModel?"
        assert "Risk, StripeFraudModel" in error.why


async def test_a_workflow_that_was_never_deployed_says_so(room: CodeRoom, tmp_path: Path) -> None:
    packed = _packed(tmp_path, "Fraud")
    await _ready(room, packed)
    with pytest.raises(Invalid) as caught:
        await room.resolve(None, "Fraud")
    assert caught.value.code == "unknown_workflow"
    assert packed.code_id in caught.value.mend


async def test_a_code_is_named_by_any_unique_beginning(room: CodeRoom, tmp_path: Path) -> None:
    bundles = [_packed(tmp_path, "Fraud", extra=f"# {number}\n") for number in range(20)]
    for packed in bundles:
        await room.register(packed.zip_bytes, "ada")
    first = bundles[0].code_id
    assert (await room.get(first)).code_id == first
    assert (await room.get(first[:10])).code_id == first
    with pytest.raises(Ambiguous, match="several code versions"):
        await room.get("c")


@pytest.mark.parametrize(
    "code",
    ["c000000000000", "fraud@9", "nope", "", "c%", "c_", "C0FFEE", "fraud@", "@1", "a@b@c", "c" + "0" * 64, "x\0y"],
)
async def test_an_unknown_code_is_told_where_the_request_names_it(room: CodeRoom, code: str) -> None:
    with pytest.raises(NotFound) as told:
        await room.get(code)
    assert told.value.code == "unknown_code"
    with pytest.raises(Invalid) as caught:
        await room.resolve(code, "Fraud")
    assert (caught.value.code, caught.value.fields[0].path) == ("unknown_code", "code")


async def test_an_unknown_version_has_a_nearest(room: CodeRoom, tmp_path: Path) -> None:
    packed = _packed(tmp_path, "Fraud")
    await _ready(room, packed)
    await room.deploy(packed.code_id, "2026.11", "ada")
    with pytest.raises(NotFound, match=r"did you mean fraud@2026\.11"):
        await room.get("fraud@2026.12")


async def test_a_workflow_name_lives_in_one_code_project(room: CodeRoom, tmp_path: Path) -> None:
    first, second = _packed(tmp_path, "Fraud", name="one"), _packed(tmp_path, "Fraud", "Own", name="two")
    for packed in (first, second):
        await _ready(room, packed)
    await room.deploy(first.code_id, None, "ada")
    with pytest.raises(Conflict, match="the workflow Fraud belongs to the code project one") as caught:
        await room.deploy(second.code_id, None, "grace")
    assert caught.value.code == "workflow_claimed"
    assert (await room.get(second.code_id)).deployed_at is None
    third = _packed(tmp_path, "Own", name="three")  # the refused deploy claimed nothing
    await _ready(room, third)
    assert (await room.deploy(third.code_id, None, "ada")).deployed_at is not None


async def test_of_two_deploys_that_claim_one_name_at_once_one_wins(room: CodeRoom, tmp_path: Path) -> None:
    names = [f"W{number}" for number in range(5)]
    bundles = [_packed(tmp_path, *(names if each % 2 else names[::-1]), name=f"p{each}") for each in range(6)]
    for packed in bundles:
        await _ready(room, packed)
    ended = await asyncio.gather(
        *(room.deploy(packed.code_id, None, "ada") for packed in bundles), return_exceptions=True
    )
    assert sum(isinstance(each, CodeVersion) for each in ended) == 1
    assert sum(isinstance(each, Conflict) for each in ended) == 5


async def test_a_version_never_moves_to_other_code(room: CodeRoom, tmp_path: Path) -> None:
    first, second = (_packed(tmp_path, "Fraud", extra=f"# {number}\n") for number in range(2))
    for packed in (first, second):
        await _ready(room, packed)
    await room.deploy(first.code_id, "1", "ada")
    with pytest.raises(Conflict, match=f"fraud@1 is already the code {first.code_id}"):
        await room.deploy(second.code_id, "1", "ada")
    with pytest.raises(Conflict, match=f"{first.code_id} is already fraud@1"):
        await room.deploy(first.code_id, "2", "ada")
    with pytest.raises(Invalid, match="cannot be a version"):
        await room.deploy(second.code_id, "../x", "ada")
    assert (await room.deploy(second.code_id, None, "ada")).version == second.code_id


async def test_deploying_what_is_not_ready_or_holds_nothing_is_refused(
    room: CodeRoom, tmp_path: Path, discoverer: Discoverer
) -> None:
    packed = _packed(tmp_path, "Fraud")
    discoverer.go_on.clear()
    await room.register(packed.zip_bytes, "ada")
    with pytest.raises(Conflict, match="not ready yet") as caught:
        await room.deploy(packed.code_id, None, "ada")
    assert "try again in a moment" in caught.value.mend
    discoverer.answer = []
    discoverer.go_on.set()
    await room.settled(packed.code_id)
    with pytest.raises(Invalid, match="holds no workflow that loads"):
        await room.deploy(packed.code_id, None, "ada")


async def test_workflows_are_listed_from_the_newest_deployed_code_with_their_last_job(
    room: CodeRoom, tmp_path: Path, database: Database, discoverer: Discoverer
) -> None:
    old, new = _packed(tmp_path, "Fraud", "Gone"), _packed(tmp_path, "Fraud", extra="#\n")
    draft = _packed(tmp_path, "Draft", name="draft")
    for packed in (old, new, draft):
        await _ready(room, packed)
    await room.deploy(old.code_id, None, "ada")
    await room.deploy(new.code_id, None, "ada")
    async with database.transaction() as connection:
        for job in ("j1", "j2"):
            await connection.execute(
                text(
                    "INSERT INTO jobs (job_id, model_name, model_description, owner, project, trainer, submitted_by, workflow_name,"
                    " compute_resource, cpu, memory_bytes, timeout_seconds, request_text, resolved_request)"
                    " VALUES (:job, 'm', 'd', 'team', 'p', 't', 's', 'Fraud', 'CPU', 1, 1, 1, '{}', '{}')"
                ),
                {"job": job},
            )
    found = {each.name: each for each in await room.workflows()}
    assert {name: (each.code, each.deployed, each.jobs) for name, each in found.items()} == {
        "Draft": (draft.code_id, False, 0),
        "Fraud": (new.code_id, True, 2),
        "Gone": (old.code_id, True, 0),
    }
    fraud = await room.workflow("Fraud")
    assert (fraud.last_job, fraud.last_state, fraud.last_owner, fraud.info.label) == ("j2", "queued", "team", "loaded")
    with pytest.raises(NotFound, match="did you mean Fraud"):
        await room.workflow("Frauds")


async def test_a_broken_file_is_listed_only_while_the_newest_code_holds_it(
    room: CodeRoom, tmp_path: Path, discoverer: Discoverer
) -> None:
    old, new = _packed(tmp_path, "Fraud"), _packed(tmp_path, "Fraud", extra="#\n")
    discoverer.answer = [
        {"name": "Fraud", "file": "workflows/a.py"},
        {"name": "b", "file": "workflows/b.py", "broken": "E"},
    ]
    await _ready(room, old)
    await room.deploy(old.code_id, None, "ada")
    assert [each.name for each in await room.workflows()] == ["Fraud", "b"]
    discoverer.answer = None
    await _ready(room, new)
    await room.deploy(new.code_id, None, "ada")
    assert [each.name for each in await room.workflows()] == ["Fraud"]


async def test_versions_are_listed_by_pages_newest_first(room: CodeRoom, tmp_path: Path) -> None:
    ids = [
        (await room.register(_packed(tmp_path, "F", extra=f"# {number}\n").zip_bytes, "ada")).code_id
        for number in range(5)
    ]
    await _ready(room, _packed(tmp_path, "G", name="other"))
    first = await room.list(project="fraud", limit=3)
    second = await room.list(project="fraud", limit=3, after=first.next)
    assert [version.code_id for version in (*first.items, *second.items)] == ids[::-1]
    assert second.next is None
    assert (await room.list(deployed=True)).items == ()
    for cursor in ("x", "-1", "1; drop", "9" * 40, "٣"):
        with pytest.raises(Invalid, match="no cursor"):
            await room.list(after=cursor)


async def test_whoever_waits_is_woken_when_code_becomes_ready_or_broken(
    room: CodeRoom, tmp_path: Path, database_url: str, discoverer: Discoverer
) -> None:
    async with await psycopg.AsyncConnection.connect(conninfo(database_url), autocommit=True) as listening:
        await listening.execute(f"LISTEN {QUEUE}".encode())
        await _ready(room, _packed(tmp_path, "A"))
        assert [each.channel async for each in listening.notifies(timeout=20, stop_after=1)] == [QUEUE]
        discoverer.answer = RailyardError("no")
        await _ready(room, _packed(tmp_path, "B"))
        assert [each.channel async for each in listening.notifies(timeout=20, stop_after=1)] == [QUEUE]


async def test_a_new_server_goes_on_with_what_was_building(
    database: Database, artifacts: ArtifactStore, tmp_path: Path, discoverer: Discoverer, builder: Builder
) -> None:
    first = CodeRoom(database, artifacts, tmp_path / "home", discoverer, runtimes=builder)
    builder.go_on.clear()
    packed = _packed(tmp_path, "Fraud", lock="x==1\n")
    await first.register(packed.zip_bytes, "ada")
    while not builder.builds:
        await asyncio.sleep(0.01)
    await first.close()
    assert (await first.get(packed.code_id)).state == "building"
    builder.go_on.set()
    second = CodeRoom(database, artifacts, tmp_path / "home", discoverer, runtimes=builder)
    await second.open()
    assert (await second.settled(packed.code_id)).state == "ready"
    await second.close()


async def test_a_new_machine_unpacks_and_builds_again_what_was_ready(
    room: CodeRoom, database: Database, artifacts: ArtifactStore, tmp_path: Path, discoverer: Discoverer
) -> None:
    packed = _packed(tmp_path, "Fraud", lock="x==1\n")
    await _ready(room, packed)
    elsewhere = CodeRoom(
        database, artifacts, tmp_path / "other", discoverer, runtimes=Builder(tmp_path / "other" / "runtimes")
    )
    assert isinstance(await elsewhere.place(packed.code_id), Waiting)
    await elsewhere.settled(packed.code_id)
    place = await elsewhere.place(packed.code_id)
    assert isinstance(place, Place)
    assert Path(place.folder).is_relative_to(tmp_path / "other")
    await elsewhere.close()


async def test_a_folder_that_was_removed_is_laid_out_again(room: CodeRoom, tmp_path: Path) -> None:
    packed = _packed(tmp_path, "Fraud")
    await _ready(room, packed)
    place = await room.place(packed.code_id)
    assert isinstance(place, Place)
    Path(place.folder).rename(tmp_path / "moved")
    assert await room.place(packed.code_id) == place
    assert (Path(place.folder) / "workflows" / "a.py").is_file()


async def test_code_that_is_not_on_this_server_is_broken_for_its_job(room: CodeRoom) -> None:
    place = await room.place("c000000000000")
    assert isinstance(place, Broken)
    assert "not on this server" in place.message


async def test_a_bad_bundle_or_lock_stores_nothing(room: CodeRoom, tmp_path: Path, artifacts: ArtifactStore) -> None:
    with pytest.raises(Invalid, match="not a code bundle"):
        await room.register(b"hello", "ada")
    with pytest.raises(Invalid, match=r"the lock requirements\.lock does not hold"):
        await room.register(_packed(tmp_path, "A", lock="-r /etc/passwd\n").zip_bytes, "ada")
    assert artifacts.list() == []
    assert (await room.list()).items == ()
