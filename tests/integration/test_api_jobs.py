"""Jobs over HTTP on a real database: submit, plan, list, cancel, rerun."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from api_bench import CODE_ID, ApiBench
from job_bench import Bench, request_value

from railyard.control.db.engine import Database
from railyard.control.executors.places import Broken, Waiting
from railyard.errors import Timeout
from railyard.spec.attempt import PlanAnswer
from railyard.spec.base import dump
from railyard.spec.result import ErrorReport


@pytest.fixture
def api(database: Database) -> ApiBench:
    return ApiBench(Bench(database))


def _body(**changes: Any) -> str:
    return json.dumps(request_value(**changes))


async def _submit(client: Any, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/jobs", content=_body(**changes))
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_request_becomes_a_queued_job_with_its_code_pinned(api: ApiBench) -> None:
    async with api.client("submit") as client:
        answer = await client.post("/v1/jobs", content=_body())
        job = answer.json()
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/jobs/{job['job_id']}"
        assert (job["state"], job["code"], job["submitted_by"], job["queue_position"]) == ("queued", CODE_ID, "ada", 1)
        assert (await client.get(f"/v1/jobs/{job['job_id']}")).json() == job


async def test_the_request_is_kept_byte_for_byte(api: ApiBench) -> None:
    text = '{ "train":{"workflow_name":"Fraud","custom_params":{"eta":1e-300}} ,\n' + _body()[1:].replace(
        '"train": {"workflow_name": "Fraud", "label": "is_fraud", "custom_params": {"eta": 0.1}}', '"seed": 7'
    )
    async with api.client("submit") as client:
        job = (await client.post("/v1/jobs", content=text.encode())).json()
        assert (await client.get(f"/v1/jobs/{job['job_id']}/request")).content == text.encode()


async def test_a_repeated_key_starts_nothing_twice_however_many_come_at_once(api: ApiBench) -> None:
    async with api.client("submit") as client:
        sent = [client.post("/v1/jobs", content=_body(), headers={"Idempotency-Key": "k1"}) for _ in range(12)]
        answers = await asyncio.gather(*sent)
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["job_id"] for answer in answers}) == 1
        assert len((await client.get("/v1/jobs")).json()["items"]) == 1


async def test_a_key_that_stands_for_another_request_is_a_conflict(api: ApiBench) -> None:
    async with api.client("submit") as client:
        await client.post("/v1/jobs", content=_body(), headers={"Idempotency-Key": "k1"})
        answer = await client.post("/v1/jobs", content=_body(seed=3), headers={"Idempotency-Key": "k1"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "invalid_json"),
        (b"\xff\xfe{}", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b"// a comment\n{}", "invalid_json"),
        (b'{"owner": "a", "owner": "b"}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"{}", "invalid_request"),
        (b"[]", "invalid_request"),
        (b'"\\u0000"', "invalid_request"),
        (_body(ownr="risk").encode(), "invalid_request"),
        (_body(owner="").encode(), "invalid_request"),
    ],
)
@pytest.mark.parametrize("query", ["", "?dry_run=1"])
async def test_what_is_no_request_is_refused_and_nothing_is_stored(
    api: ApiBench, content: bytes, code: str, query: str
) -> None:
    async with api.client("submit") as client:
        answer = await client.post(f"/v1/jobs{query}", content=content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
        assert (await client.get("/v1/jobs")).json()["items"] == []


@pytest.mark.parametrize(
    ("changes", "code", "path", "nearest"),
    [
        ({"compute_resource": "HIGH_MEMRY"}, "unknown_compute_class", "compute_resource", "HIGH_MEMORY"),
        ({"resources": {"cpu": 8.0}}, "beyond_class", "resources.cpu", "1"),
        ({"resources": {"memory": "2Gi"}}, "beyond_class", "resources.memory", "1Gi"),
        ({"resources": {"gpu": 1}}, "beyond_class", "resources.gpu", "0"),
        ({"compute_resource": "gpu"}, "beyond_capacity", "compute_resource", None),
        ({"workers": 4}, "workers_unsupported", "workers", "1"),
        ({"train": {"workflow_name": "Frod"}}, "unknown_workflow", "train.workflow_name", "Fraud"),
        (
            {"train": {"workflow_name": "Fraud", "custom_params": {"etta": 0.1}}},
            "invalid_params",
            "train.custom_params.etta",
            "eta",
        ),
        (
            {"data": {"features": [{"names": ["a"], "source": "sql", "connection": "warehuose", "query": "select 1"}]}},
            "unknown_connection",
            "data.features[0].connection",
            "warehouse",
        ),
    ],
)
async def test_what_could_never_run_is_refused_naming_field_and_nearest_value(
    api: ApiBench, changes: dict[str, Any], code: str, path: str, nearest: str | None
) -> None:
    async with api.client("submit") as client:
        answer = await client.post("/v1/jobs", content=_body(**changes))
        problem = answer.json()["error"]
        assert (answer.status_code, problem["code"]) == (422, code)
        assert (problem["fields"][0]["path"], problem["fields"][0]["nearest"]) == (path, nearest)
        assert (await client.get("/v1/jobs")).json()["items"] == []


async def test_a_class_is_found_whatever_its_case_and_echoed_as_it_is_called(api: ApiBench) -> None:
    async with api.client("submit") as client:
        assert (await _submit(client, compute_resource="high_memory"))["compute_resource"] == "HIGH_MEMORY"


async def test_one_submits_only_for_ones_own_team(api: ApiBench) -> None:
    async with api.client("submit", teams=("other",)) as client:
        answer = await client.post("/v1/jobs", content=_body())
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_your_team")
    async with api.client("read") as client:
        assert (await client.post("/v1/jobs", content=_body())).json()["error"]["code"] == "scope_missing"
    async with api.client() as client:
        assert (await client.post("/v1/jobs", content=_body())).status_code == 401


async def test_an_admin_submits_for_any_owner_and_is_remembered_as_the_sender(api: ApiBench) -> None:
    async with api.client("admin", user="root", teams=()) as client:
        job = await _submit(client, owner="anybody", trainer="eve")
        assert (job["owner"], job["trainer"], job["submitted_by"]) == ("anybody", "eve", "root")


async def test_a_list_is_filtered_and_paged_without_gap_or_repeat(api: ApiBench) -> None:
    async with api.client("admin") as client:
        sent = [await _submit(client, owner=f"team{index % 2}", labels={"n": str(index)}) for index in range(7)]
        mine = [job["job_id"] for job in reversed(sent) if job["owner"] == "team0"]
        seen: list[str] = []
        query: dict[str, Any] = {"owner": "team0", "limit": 2}
        while True:
            page = (await client.get("/v1/jobs", params=query)).json()
            seen += [job["job_id"] for job in page["items"]]
            if page["next"] is None:
                break
            query["after"] = page["next"]
        assert seen == mine
        found = (await client.get("/v1/jobs", params={"label": "n=3", "state": ["queued", "running"]})).json()["items"]
        assert [job["job_id"] for job in found] == [sent[3]["job_id"]]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("statee=queued", "query.statee"),
        ("state=done", "query.state[0]"),
        ("limit=0", "query.limit"),
        ("limit=x", "query.limit"),
        ("label=team", "query.label[0]"),
        ("since=2026-01-01T00:00:00", "query.since"),
    ],
)
async def test_a_bad_filter_is_refused_rather_than_ignored(api: ApiBench, query: str, path: str) -> None:
    async with api.client("read") as client:
        answer = await client.get(f"/v1/jobs?{query}")
        assert answer.status_code == 422
        assert answer.json()["error"]["fields"][0]["path"] == path


async def test_a_cursor_of_ones_own_making_is_refused(api: ApiBench) -> None:
    async with api.client("read") as client:
        assert (await client.get("/v1/jobs?after=yesterday")).status_code == 422


async def test_any_unique_prefix_names_a_job_and_another_one_lists_what_it_fits(api: ApiBench) -> None:
    async with api.client("submit") as client:
        one, _ = await _submit(client), await _submit(client)
        assert (await client.get(f"/v1/jobs/{one['job_id'][:8]}")).json()["job_id"] == one["job_id"]
        ambiguous = await client.get("/v1/jobs/j")
        assert ambiguous.status_code == 409
        assert one["job_id"] in ambiguous.json()["error"]["detail"]["candidates"]
        assert (await client.get("/v1/jobs/jnothing")).status_code == 404


async def test_a_queued_job_is_cancelled_at_once_and_only_by_its_own_team(api: ApiBench) -> None:
    async with api.client("submit") as client:
        job = await _submit(client)
        async with api.client("submit", user="eve", teams=("other",)) as stranger:
            assert (await stranger.post(f"/v1/jobs/{job['job_id']}/cancel")).status_code == 403
        answer = await client.post(f"/v1/jobs/{job['job_id']}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")


async def test_a_rerun_keeps_text_and_code_unless_told_otherwise(api: ApiBench) -> None:
    async with api.client("submit") as client:
        first = await _submit(client)
        again = (await client.post(f"/v1/jobs/{first['job_id']}/rerun")).json()
        assert (again["rerun_of"], again["code"]) == (first["job_id"], first["code"])
        assert (await client.get(f"/v1/jobs/{again['job_id']}/request")).text == _body()
        patch = {"overrides": {"train": {"custom_params": {"eta": 0.2}, "label": None}, "seed": 9}}
        changed = (await client.post(f"/v1/jobs/{first['job_id']}/rerun", json=patch)).json()
        sent = json.loads((await client.get(f"/v1/jobs/{changed['job_id']}/request")).text)
        assert sent["train"] == {"workflow_name": "Fraud", "custom_params": {"eta": 0.2}}
        assert sent["seed"] == 9


async def test_a_rerun_whose_patch_does_not_hold_starts_nothing(api: ApiBench) -> None:
    async with api.client("submit") as client:
        first = await _submit(client)
        for overrides, code in (({"seed": "x"}, "invalid_request"), ({"workers": 2}, "workers_unsupported")):
            answer = await client.post(f"/v1/jobs/{first['job_id']}/rerun", json={"overrides": overrides})
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
        answer = await client.post(f"/v1/jobs/{first['job_id']}/rerun", json={"overides": {}})
        assert answer.json()["error"]["fields"][0]["path"] == "overides"
        assert len((await client.get("/v1/jobs")).json()["items"]) == 1


async def test_a_rerun_cannot_move_a_job_to_another_team(api: ApiBench) -> None:
    async with api.client("submit") as client:
        first = await _submit(client)
        answer = await client.post(f"/v1/jobs/{first['job_id']}/rerun", json={"overrides": {"owner": "other"}})
        assert answer.json()["error"]["code"] == "not_your_team"


def _answering(api: ApiBench, monkeypatch: pytest.MonkeyPatch, answer: PlanAnswer | Exception) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    async def ask(_runtime: Any, question: str, body: Any, *, timeout_seconds: float) -> Any:
        assert (question, timeout_seconds) == ("plan", 10.0)
        asked.append(body)
        if isinstance(answer, Exception):
            raise answer
        return dump(answer)

    monkeypatch.setattr(api.bench.executor, "ask", ask)
    return asked


_SEEN = PlanAnswer(columns={"amount": "Float64"}, rows_total=100, rows_estimated=60, bytes_estimated=800, files=2)


async def test_a_plan_names_class_sources_and_place_in_line_and_queues_nothing(
    api: ApiBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _answering(api, monkeypatch, _SEEN)
    async with api.client("submit") as client:
        await _submit(client)
        answer = await client.post("/v1/jobs?dry_run=1", content=_body())
        plan = answer.json()
        assert answer.status_code == 200
        assert (plan["compute_resource"], plan["cpu"], plan["memory_bytes"]) == ("CPU", 1.0, 2**30)
        assert (plan["columns"], plan["rows_estimated"], plan["queue_position"]) == ({"amount": "Float64"}, 60, 2)
        assert (plan["seconds_estimated"], plan["cost"]["basis"]) == (None, "unpriced")
        assert any("no holdout" in warning for warning in plan["warnings"])
        assert asked[0]["request"]["code"] == CODE_ID
        assert len((await client.get("/v1/jobs")).json()["items"]) == 1


async def test_a_plan_estimates_time_and_money_from_earlier_jobs(
    api: ApiBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answering(api, monkeypatch, _SEEN)
    bench = api.bench
    for minutes in (30, 60, 90):
        name = await bench.running()
        await bench.commit(name)
        await bench.sql(
            f"UPDATE attempts SET started_at = finished_at - interval '{minutes} minutes' WHERE job_id = :job_id",
            job_id=name.split("-")[0],
        )
    async with api.client("submit") as client:
        body = _body(max_cost={"amount": 0.01, "currency": "EUR"})
        plan = (await client.post("/v1/jobs?dry_run=true", content=body)).json()
    assert (plan["seconds_estimated"], plan["jobs_seen"]) == (3600.0, 3)
    # One CPU at 0.05 and one GiB at 0.01 for an hour.
    assert float(plan["cost"]["amount"]) == 0.06
    assert (plan["cost"]["currency"], plan["cost"]["basis"]) == ("EUR", "estimated")
    assert any("max_cost" in warning for warning in plan["warnings"])


async def test_a_plan_whose_sources_do_not_fit_is_refused_in_the_runners_words(
    api: ApiBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ErrorReport(code="schema_mismatch", message="no column amuont", evidence={"available": ["amount"]})
    _answering(api, monkeypatch, _SEEN.model_copy(update={"error": report}))
    async with api.client("submit") as client:
        answer = await client.post("/v1/jobs?dry_run=1", content=_body())
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "schema_mismatch")
        assert answer.json()["error"]["detail"] == {"available": ["amount"]}


async def test_a_plan_that_cannot_look_at_the_sources_says_so_and_answers_the_rest(
    api: ApiBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answering(api, monkeypatch, Timeout("the runner did not answer plan within 10 s"))
    async with api.client("submit") as client:
        plan = (await client.post("/v1/jobs?dry_run=1", content=_body())).json()
        assert plan["columns"] == {}
        assert any("10 s" in warning for warning in plan["warnings"])
        api.bench.places.answers[CODE_ID] = Waiting(message="the runtime is being built")
        plan = (await client.post("/v1/jobs?dry_run=1", content=_body())).json()
        assert any("being built" in warning for warning in plan["warnings"])
        api.bench.places.answers[CODE_ID] = Broken(message="no solution found")
        answer = await client.post("/v1/jobs?dry_run=1", content=_body())
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "runtime_build")


async def test_classes_tell_how_full_they_are(api: ApiBench) -> None:
    await api.bench.running()
    await api.bench.submit(compute_resource="GPU")
    async with api.client("read") as client:
        states = {item["compute_class"]["name"]: item for item in (await client.get("/v1/compute")).json()["items"]}
    assert (states["CPU"]["running"], states["CPU"]["queued"], states["CPU"]["free"]) == (1, 0, 3)
    assert (states["GPU"]["running"], states["GPU"]["queued"], states["GPU"]["free"]) == (0, 1, 0)


async def test_metrics_count_jobs_and_time_the_steps_of_attempts_that_ended(
    api: ApiBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("railyard.control.api.metrics.KEEP_SECONDS", 0.0)
    bench = api.bench
    earlier = await bench.running()
    await bench.commit(earlier)
    await api.rooms.measures.begin(bench.database)
    async with api.client("read") as client:
        assert "railyard_step_seconds_count{" not in (await client.get("/metrics")).text
        await bench.commit(await bench.running())
        await bench.submit(owner="cards")
        text = (await client.get("/metrics")).text
        assert 'railyard_step_seconds_count{step="train",workflow="Fraud"} 1.0' in text
        assert 'railyard_step_seconds_sum{step="train",workflow="Fraud"} 1.5' in text
        assert 'railyard_queue_length{compute_class="CPU"} 1.0' in text
        assert (
            'railyard_jobs{compute_class="CPU",node="node1",owner="risk",project="cards",state="succeeded"} 2.0' in text
        )
        assert (await client.get("/metrics")).text.count("railyard_step_seconds_count{") == 1
    async with api.client() as client:
        assert (await client.get("/metrics")).status_code == 401


async def test_deploying_takes_a_scope_of_its_own(api: ApiBench) -> None:
    async with api.client("submit") as client:
        assert (await client.post("/v1/code/c0ff/deploy")).status_code == 403
        assert api.code.deployed == []


async def test_workflows_and_code_go_through_to_the_code_room(api: ApiBench) -> None:
    async with api.client("deploy") as client:
        assert (await client.get("/v1/workflows")).json()["items"][0]["name"] == "Fraud"
        assert (await client.get("/v1/code/c0ff")).json()["code_id"] == CODE_ID
        assert (await client.get("/v1/code/c1")).status_code == 404
        assert (await client.post("/v1/code", content=b"PK")).status_code == 201
        assert api.code.registered == [(b"PK", "ada")]
        assert (await client.post("/v1/code/c0ff/deploy", json={"version": "1.2"})).status_code == 200
        assert (await client.post("/v1/code/c0ff/deploy")).status_code == 200
        assert api.code.deployed == [(CODE_ID, "1.2", "ada"), (CODE_ID, None, "ada")]
        assert (await client.post("/v1/code/c0ff/deploy", json={"version": "a b"})).status_code == 422


async def test_one_trains_under_ones_own_name_and_a_rerun_takes_it(api: ApiBench) -> None:
    async with api.client("submit") as client:
        first = await _submit(client)
    async with api.client("submit", user="bob") as client:
        answer = await client.post("/v1/jobs", content=_body())
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_your_name")
        again = await client.post(f"/v1/jobs/{first['job_id']}/rerun", json={})
        assert (first["trainer"], again.json()["trainer"]) == ("ada", "bob")
    async with api.client("admin", user="root", teams=()) as client:
        again = await client.post(f"/v1/jobs/{first['job_id']}/rerun", json={})
        assert (again.json()["trainer"], again.json()["submitted_by"]) == ("ada", "root")
