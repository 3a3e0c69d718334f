"""A commit: one transaction, fenced, checked byte by byte; its result readable and comparable."""

from __future__ import annotations

import asyncio

import pytest
from job_bench import Bench, manifest_of, request_value

from railyard.control.db.engine import Database
from railyard.control.registry import read as registry
from railyard.control.results import read as results
from railyard.control.results.compare import compare
from railyard.errors import Ambiguous, Conflict, Invalid, NotFound, Unauthorized
from railyard.spec.base import dump
from railyard.spec.result import Artifact


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


async def test_the_model_is_registered_with_the_job(bench: Bench) -> None:
    name = await bench.running()
    manifest = bench.deliver(name)
    job = await bench.commit(name, manifest)
    model = await registry.get(bench.database, str(job.model_id))
    assert model.model_id == f"fraud:{manifest.model.manifest_sha256[:12]}"
    assert (model.job_id, model.attempt, model.owner, model.experimental) == (job.job_id, 1, "risk", False)
    assert model.uri.endswith(f"jobs/{job.job_id}/1/model/")
    assert model.data_sha256 == "cd" * 32


async def test_the_same_commit_again_answers_the_job_and_another_is_refused(bench: Bench) -> None:
    name = await bench.running()
    manifest = bench.deliver(name)
    first = await bench.commit(name, manifest)
    assert (await bench.commit(name, manifest)).finished_at == first.finished_at
    other = manifest.model_copy(update={"model": manifest.model.model_copy(update={"manifest_sha256": "0" * 64})})
    with pytest.raises(Conflict) as refused:
        await bench.commit(name, other)
    assert refused.value.code == "stale_attempt"
    assert (await bench.row("SELECT count(*) FROM models"))["count"] == 1
    assert (await bench.kinds(name[:-2])).count("succeeded") == 1


async def test_ten_commits_at_once_are_one(bench: Bench) -> None:
    name = await bench.running()
    manifest = bench.deliver(name)
    jobs = await asyncio.gather(*(bench.commit(name, manifest) for _ in range(10)))
    assert {job.state for job in jobs} == {"succeeded"}
    assert (await bench.row("SELECT count(*) FROM models"))["count"] == 1


async def test_a_wrong_token_commits_nothing(bench: Bench) -> None:
    name, other = await bench.running(), await bench.running()
    manifest = bench.deliver(name)
    bench.executor.launches[0], bench.executor.launches[1] = bench.executor.launches[1], bench.executor.launches[0]
    object.__setattr__(bench.executor.launches[1], "token", bench.token(other))
    with pytest.raises(Unauthorized):
        await bench.commit(name, manifest)
    assert (await bench.job(name[:-2])).state == "running"


@pytest.mark.parametrize("change", ["missing", "size", "content"])
async def test_artifacts_that_are_not_there_as_stated_are_refused(bench: Bench, change: str) -> None:
    name = await bench.running()
    manifest = bench.deliver(name)
    model = manifest.artifacts[1]
    changed = {
        "missing": model.model_copy(update={"path": "model/other.ubj"}),
        "size": model.model_copy(update={"bytes": 4}),
        "content": model.model_copy(update={"sha256": "00" * 32}),
    }[change]
    with pytest.raises(Invalid) as refused:
        await bench.commit(name, manifest.model_copy(update={"artifacts": (manifest.artifacts[0], changed)}))
    assert refused.value.code == "artifact_mismatch"
    assert refused.value.fields[0].path == "artifacts[1]"
    assert refused.value.fields[0].got == ("nothing" if change == "missing" else f"3 bytes with sha256 {model.sha256}")
    assert (await bench.job(name[:-2])).state == "running"


async def test_a_manifest_that_contradicts_itself_is_refused(bench: Bench) -> None:
    name = await bench.running()
    good = bench.deliver(name)
    assert good.data is not None
    bad = good.model_copy(
        update={
            "attempt": "j0-1",
            "artifacts": (*good.artifacts[1:], *good.artifacts[1:]),
            "data": good.data.model_copy(update={"rows_train": 8}),
        }
    )
    with pytest.raises(Invalid) as refused:
        await bench.commit(name, bad)
    assert [problem.path for problem in refused.value.fields] == ["attempt", "artifacts", "artifacts", "data"]
    wrong = good.model_copy(update={"model": good.model.model_copy(update={"manifest_sha256": "1" * 64})})
    with pytest.raises(Invalid) as refused:
        await bench.commit(name, wrong)
    assert refused.value.fields[0].path == "model.manifest_sha256"


async def test_bytes_that_were_registered_before_are_no_second_model(bench: Bench) -> None:
    first, second = await bench.running(), await bench.running()
    await bench.commit(first)
    content = bench.artifacts.read(f"jobs/{first[:-2]}/1/model/manifest.json")
    stored = bench.artifacts.put(f"jobs/{second[:-2]}/1/model/manifest.json", content)
    copied = Artifact(kind="model", path="model/manifest.json", sha256=stored.sha256, bytes=stored.bytes, format="json")
    with pytest.raises(Conflict) as refused:
        await bench.commit(second, manifest_of(second, (copied,)))
    assert refused.value.code == "model_exists"
    assert (await bench.job(second[:-2])).state == "running"


async def test_an_artifact_outside_the_attempt_cannot_be_named(bench: Bench) -> None:
    name = await bench.running()
    good = bench.deliver(name)
    outside = good.artifacts[1].model_copy(update={"path": "../2/model/model.ubj"})
    with pytest.raises(Invalid):
        await bench.commit(name, good.model_copy(update={"artifacts": (good.artifacts[0], outside)}))


async def test_the_result_holds_what_was_sent_and_what_came_of_it(bench: Bench) -> None:
    params = {"z": [1e300, None], "a": {"b": 2**53 + 1}}
    name = await bench.running(train={"workflow_name": "Fraud", "custom_params": params})
    await bench.commit(name)
    found = await results.result(bench.database, name[:-2])
    assert (found.state, found.task, found.seed, found.node) == ("succeeded", "binary", 0, "node1")
    assert repr(found.resolved_request["train"]["custom_params"]) == repr(params)  # type: ignore[index,call-overload]
    assert found.request.startswith('{"model_description"')
    assert found.data is not None
    assert found.data.fingerprint.files[0].path == "/data/x.parquet"
    assert set(found.timestamps) == {"submitted", "claimed", "started", "succeeded"}
    assert all(artifact.uri.endswith(f"{name[:-2]}/1/{artifact.path}") for artifact in found.artifacts)
    assert (await results.artifact(bench.database, name[:-2], "model/model.ubj")).bytes == 3
    with pytest.raises(NotFound) as missing:
        await results.artifact(bench.database, name[:-2], "model/x")
    assert "model/model.ubj" in missing.value.why


async def test_a_job_without_a_result_still_answers(bench: Bench) -> None:
    job = await bench.submit()
    found = await results.result(bench.database, job.job_id)
    assert (found.state, found.task, found.artifacts, found.data) == ("queued", None, (), None)


async def test_jobs_are_compared_from_their_results(bench: Bench) -> None:
    first = await bench.running()
    changed = request_value()["train"] | {"custom_params": {"eta": 0.3}}
    second = await bench.running(train=changed, project="other")
    jobs = [await bench.commit(first), await bench.commit(second)]
    found = compare(jobs, [await results.result(bench.database, job.job_id) for job in jobs])
    assert found.metrics["holdout.auc"] == (0.8, 0.8)
    assert found.params == {"eta": (0.1, 0.3)}
    assert found.request == {"/project": ("cards", "other")}
    assert found.data == {}


async def test_names_and_ids_are_listed_newest_first(bench: Bench) -> None:
    made = []
    for model_name in ("fraud", "churn", "fraud"):
        name = await bench.running(model_name=model_name)
        made.append(str((await bench.commit(name)).model_id))
    names = await registry.list_names(bench.database)
    assert [(one.name, one.ids, one.latest) for one in names.items] == [("fraud", 2, made[2]), ("churn", 1, made[1])]
    first = await registry.list_ids(bench.database, "fraud", limit=1)
    rest = await registry.list_ids(bench.database, "fraud", limit=1, after=first.next)
    assert [first.items[0].model_id, rest.items[0].model_id] == [made[2], made[0]]
    assert rest.next is None
    assert (await registry.list_names(bench.database, owner="nobody")).items == ()
    assert (await registry.get(bench.database, made[1][:9])).model_id == made[1]
    with pytest.raises(NotFound) as missing:
        await registry.list_ids(bench.database, "frod")
    assert missing.value.mend == "did you mean fraud?"
    for wrong in ("fraud", "fraud:zz", ":", "%:%", "fraud:%"):
        with pytest.raises(NotFound):
            await registry.get(bench.database, wrong)
    await bench.sql(
        "UPDATE models SET model_id = 'fraud:aa' || seq, manifest_sha256 = 'aa' || seq WHERE name = 'fraud'"
    )
    with pytest.raises(Ambiguous):
        await registry.get(bench.database, "fraud:aa")
    with pytest.raises(Invalid):
        await registry.list_ids(bench.database, "fraud", after="x")


async def test_a_manifest_survives_the_database(bench: Bench) -> None:
    name = await bench.running()
    manifest = bench.deliver(name, extra={"note": "é", "nested": {"n": None}}, warnings=("careful",))
    await bench.commit(name, manifest)
    found = await results.result(bench.database, name[:-2])
    assert (found.extra, found.warnings) == (manifest.extra, manifest.warnings)
    assert found.data is not None
    assert manifest.data is not None
    assert dump(found.data) == dump(manifest.data)
