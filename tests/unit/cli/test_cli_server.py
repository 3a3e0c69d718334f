"""Signing in and out, the doctor, deploying, calling the API, and the home folder."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_server import JOB_ID, URL, FakeServer, job, problem
from hypothesis import given
from hypothesis import strategies as st

from railyard.cli import checks, home, lazy
from railyard.cli.app import App
from railyard.cli.include import with_include
from railyard.cli.output import Output
from railyard.cli.stop import going
from railyard.client import context

ME = {"user": "admin", "teams": ["risk"], "scopes": ["admin"], "server": URL, "version": "0.1.0"}
CODE = {
    "code_id": "c3fa9c1d20b7e", "project": "fraud", "sha256": "3f", "bytes": 10, "state": "ready", "version": "1.4.0",
    "created_at": "2026-11-21T09:11:00Z", "created_by": "me", "runtime": "r1",
    "workflows": [{"name": "W", "file": "workflows/w.py"}, {"name": "X", "file": "workflows/x.py", "broken": "SyntaxError: x"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("railyard.client.deploy.time.sleep", lambda _: None)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A server behind every client that a command opens by itself."""
    server = FakeServer({"GET /v1/whoami": ME})
    transport = httpx2.MockTransport(server._answer)

    class Client(lazy.client.Client):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, http=transport, **kwargs)

    monkeypatch.setattr("railyard.client.client.Client", Client)
    return server


# Signing in


def test_login_checks_the_token_and_keeps_it_for_its_owner_alone(railyard: Any, net: FakeServer) -> None:
    ran = railyard("login", "https://r.example/", "--token", "ry_secret")
    assert ran.code == 0
    assert "signed in to https://r.example/ as admin (admin)" in ran.out
    assert "ry_secret" not in ran.out + ran.err
    path = context.path_of()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert context.read(path).known["r.example"].token == "ry_secret"
    assert net.asked("GET /v1/whoami")[0].headers["authorization"] == "Bearer ry_secret"


def test_login_reads_a_piped_token_and_keeps_nothing_when_it_is_refused(
    railyard: Any, net: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ry_piped\n"))
    assert railyard("login", URL, "--name", "mine").code == 0
    assert context.read(context.path_of()).known["mine"].token == "ry_piped"
    net.routes["GET /v1/whoami"] = problem(401, "bad_token", "this token is not valid")
    ran = railyard("login", "https://other.example", "--token", "ry_bad")
    assert ran.code == 4
    assert set(context.read(context.path_of()).known) == {"mine"}
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert railyard("login", "https://other.example").code == 2


def test_logout_forgets_the_token_and_context_switches(railyard: Any, net: FakeServer) -> None:
    railyard("login", "https://a.example", "--token", "ry_a")
    railyard("login", "https://b.example", "--token", "ry_b")
    assert (
        railyard("context", "list").out == "\ta.example\thttps://a.example\tset\n*\tb.example\thttps://b.example\tset\n"
    )
    assert railyard("context", "use", "a.example").code == 0
    assert railyard("logout").out == "signed out of https://a.example\n"
    assert context.read(context.path_of()).known["a.example"].token is None
    assert json.loads(railyard("context", "list", "--json").out)[0] == {
        "name": "a.example", "url": "https://a.example", "signed_in": False, "current": True,
    }  # fmt: skip
    lost = railyard("context", "use", "a.exampel")
    assert (lost.code, lost.err.splitlines()[-1]) == (3, "mend:  railyard context use a.example")


def test_whoami_says_where_every_value_came_from(railyard: Any, net: FakeServer) -> None:
    railyard("login", "https://a.example", "--token", "ry_a")
    out = railyard("whoami").out
    assert out.startswith(
        f"server    https://a.example  (from {context.path_of()}, context a.example)\ntoken     set  (from "
    )
    flag = railyard("whoami", "--url", "https://c.example", "--token", "ry_flag")
    assert "(from flag)" in flag.out
    assert "ry_flag" not in flag.out + flag.err
    assert json.loads(railyard("whoami", "--json").out)["url"] == "https://a.example"


def test_logging_out_of_nothing_is_no_error(railyard: Any) -> None:
    assert railyard("logout").code == 0


# The doctor


def test_the_doctor_says_how_to_mend_what_is_wrong(railyard: Any) -> None:
    ran = railyard("doctor", routes={"GET /healthz": httpx2.ConnectError("refused")})
    assert ran.code == 1
    assert "✕ server       no Railyard server answers" in ran.out
    assert "mend: railyard up" in ran.out


def test_the_doctor_checks_server_database_token_and_version(railyard: Any) -> None:
    routes: dict[str, Any] = {
        "GET /healthz": httpx2.Response(
            200, json={"version": "0.1.0"}, headers={"date": "Sat, 01 Jan 2000 00:00:00 GMT"}
        ),
        "GET /readyz": problem(
            503, "not_ready", "not ready", why="the database does not answer", detail={"database": False}
        ),
        "GET /v1/whoami": ME | {"version": "9.9"},
        "GET /v1/config": {"settings": [{"name": "artifacts", "value": "s3://b/x", "origin": "f"}]},
    }
    found = {check["name"]: check for check in json.loads(railyard("doctor", "--json", routes=routes).out)}
    verdicts = {name: check["verdict"] for name, check in found.items()}
    assert (
        verdicts | {"clock": "warning", "database": "bad", "token": "ok", "version": "warning", "store": "ok"}
        == verdicts
    )
    assert found["database"]["text"] == "the database does not answer"
    routes["GET /v1/whoami"] = problem(401, "bad_token", "this token is not valid", mend="railyard login")
    found = {check["name"]: check for check in json.loads(railyard("doctor", "--json", routes=routes).out)}
    assert (found["token"]["verdict"], found["token"]["mend"]) == ("bad", "railyard login")


def test_a_secret_that_others_can_read_is_a_problem(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert checks.permissions(tmp_path).verdict == "ok"
    (tmp_path / "token").write_text("ry_x")
    (tmp_path / "token").chmod(0o644)
    assert checks.permissions(tmp_path) == ("home", "bad", "others can read token", f"chmod 600 {tmp_path}/token")
    (tmp_path / "token").chmod(0o600)
    tmp_path.chmod(0o755)
    assert checks.permissions(tmp_path).verdict == "warning"
    assert checks.permissions(tmp_path / "none").verdict == "ok"


@pytest.mark.parametrize(("free", "verdict"), [(10**12, "ok"), (10**9, "warning"), (10**6, "bad")])
def test_little_disk_is_told(tmp_path: Path, free: int, verdict: str) -> None:
    assert checks.disk(tmp_path / "not" / "yet", lambda _: (0, 0, free)).verdict == verdict


def test_an_old_python_and_missing_extras_are_told() -> None:
    assert checks.python((3, 10, 1)).verdict == "bad"
    assert checks.python((3, 13, 0)).verdict == "ok"
    missing = list(checks.extras(lambda name: None if name == "polars" else True))
    assert [check.verdict for check in missing] == ["ok", "warning"]
    assert 'pip install "railyard[train]"' in missing[1].mend


def test_clocks_that_differ_are_told() -> None:
    now = datetime(2026, 11, 21, 9, 0, 0, tzinfo=UTC)
    assert checks.clock("Sat, 21 Nov 2026 09:00:03 GMT", now).verdict == "ok"
    assert "100 s ahead of" in checks.clock("Sat, 21 Nov 2026 08:58:20 GMT", now).text
    assert checks.clock(None, now).verdict == "ok"


# Deploying, tokens, the rest of the API


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "w.py").write_text("class W: ...\n")
    (tmp_path / ".env").write_text("SECRET=1")
    return tmp_path


def test_deploy_shows_progress_and_what_it_left_out(railyard: Any, project: Path) -> None:
    building = CODE | {"state": "building", "message": "installing 12 packages"}
    routes = {
        "POST /v1/code": httpx2.Response(201, json=building),
        "POST .*/deploy": CODE,
        "GET .*": [problem(404, "not_found", "x"), building, CODE],
    }
    ran = railyard("deploy", str(project), "--version", "1.4.0", routes=routes)
    assert ran.code == 0
    assert ran.out == "✓ fraud@1.4.0 is c3fa9c1d20b7e\n"
    assert ran.err.count("runtime r1 building: installing 12 packages") == 1
    assert ".env" in ran.err
    assert "X  workflows/x.py  broken" in ran.err


def test_a_runtime_that_cannot_be_built_fails_in_uvs_own_words(railyard: Any, project: Path) -> None:
    broken = CODE | {"state": "broken", "message": "× No solution found:\n  numpy==1 conflicts with numpy==2"}
    ran = railyard("deploy", str(project), routes={"GET /v1/code/.*": broken, "POST .*/deploy": broken})
    assert ran.code == 6
    assert "numpy==1 conflicts with numpy==2" in ran.err


def test_deploy_without_a_project_says_how_to_make_one(railyard: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    ran = railyard("deploy", str(tmp_path_factory.mktemp("none")), routes={})
    assert ran.code == 3
    assert "railyard init" in ran.err


def test_a_new_token_is_data_and_its_warning_talk(railyard: Any) -> None:
    info = {"token_id": "t1", "user": "ci", "teams": ["risk"], "scopes": ["read"], "created_at": "2026-11-21T09:12:03Z"}
    ran = railyard("token", "create", "ci", "--scope", "read", "--team", "risk", "--expires", "90d",
                   routes={"POST /v1/tokens": httpx2.Response(201, json={"token": "ry_new", "info": info})})  # fmt: skip
    assert ran.out == "ry_new\n"
    assert "only now" in ran.err
    sent = ran.server.sent("POST /v1/tokens")
    assert (sent["user"], sent["teams"], sent["scopes"]) == ("ci", ["risk"], ["read"])
    assert sent["expires_at"].endswith("+00:00")
    assert railyard("token", "create", "ci", "--scope", "root").code == 2


def test_config_shows_a_setting_or_the_nearest_one(railyard: Any) -> None:
    routes = {"GET /v1/config": {"settings": [{"name": "port", "value": 8787, "origin": "default"}]}}
    assert railyard("config", routes=routes).out == "port\t8787\tdefault\n"
    lost = railyard("config", "prot", routes=routes)
    assert (lost.code, lost.err.splitlines()[-1]) == (3, "mend:  railyard config port")


def test_api_calls_any_path_as_it_is(railyard: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran = railyard(
        "api", "get", "v1/jobs", "-F", "state=failed", "-F", "limit=5", routes={"GET /v1/jobs": {"items": []}}
    )
    assert ran.out == '{"items":[]}'
    assert dict(ran.server.requests[0].url.params) == {"state": "failed", "limit": "5"}
    posted = railyard(
        "api", "POST", "/v1/x", "-F", "a=1", "-F", "b=x", "-H", "Idempotency-Key: k", routes={"POST /v1/x": {}}
    )
    assert posted.server.sent("POST /v1/x") == {"a": 1, "b": "x"}
    assert posted.server.requests[0].headers["idempotency-key"] == "k"
    (tmp_path / "body.json").write_text('{"x": 1.00}')
    sent = railyard("api", "POST", "/v1/x", "--input", str(tmp_path / "body.json"), routes={"POST /v1/x": {}})
    assert sent.server.requests[0].content == b'{"x": 1.00}'
    assert railyard("api", "POST", "/v1/x", "--input", "-", "-F", "a=1", routes={}).code == 2
    assert railyard("api", "POST", "/v1/x", "--paginate", routes={}).code == 2


def test_api_reads_all_pages_as_one_object_a_line(railyard: Any) -> None:
    pages = [{"items": [{"n": 1}, {"n": 2}], "next": "2"}, {"items": [{"n": 3}], "next": None}]
    ran = railyard("api", "GET", "/v1/jobs", "--paginate", routes={"GET /v1/jobs": pages})
    assert ran.out.splitlines() == ['{"n": 1}', '{"n": 2}', '{"n": 3}']
    assert ran.server.requests[1].url.params["after"] == "2"
    assert railyard("api", "GET", "/v1/whoami", "--paginate", routes={"GET /v1/whoami": ME}).code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(railyard: Any, shell: str) -> None:
    assert "_RAILYARD_COMPLETE" in railyard("completion", shell).out


def test_open_signs_the_browser_in_by_a_one_time_link(railyard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda link: bool(opened.append(link)) or True)
    link = {"url": "http://inside:9/login?code=x", "expires_in_seconds": 600}
    assert railyard("open", routes={"POST /v1/login-links": httpx2.Response(201, json=link)}).code == 0
    assert opened == [f"{URL}/login?code=x"]
    printed = railyard("open", "--print", routes={"POST /v1/login-links": httpx2.Response(201, json=link)})
    assert printed.out == f"{URL}/login?code=x\n"
    assert len(opened) == 1


# The home folder


def test_a_reused_pid_is_not_the_server(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(json.dumps({"pid": os.getpid(), "start_time": 1.0, "url": URL}))
    assert home.server(tmp_path) is None
    (tmp_path / "server.json").write_text("{not json")
    assert home.server(tmp_path) is None
    assert home.server(tmp_path / "none") is None


def test_a_warm_interpreter_is_known_by_pid_start_and_boot_and_ended(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        ticks = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19])
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        state = tmp_path / "warm" / "server" / "state.json"
        state.parent.mkdir(parents=True)
        state.write_text(json.dumps({"pid": child.pid, "start_ticks": ticks, "boot": "another"}))
        assert list(home.warm_interpreters(tmp_path)) == []
        state.write_text(json.dumps({"pid": child.pid, "start_ticks": ticks, "boot": boot}))
        (found,) = home.warm_interpreters(tmp_path)
        assert home.terminate(found, seconds=10)
        assert child.wait(10) == -signal.SIGTERM
    finally:
        child.kill()


def test_down_without_a_server_is_no_error(railyard: Any) -> None:
    ran = railyard("down")
    assert ran.code == 0
    assert "no server runs on" in ran.err


def test_what_began_in_the_room_that_cancelled_jobs_left_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = {"items": [job()], "next": None}
    later = {"items": [job(job_id="jaaaaaaaaa")], "next": None}
    server = FakeServer(
        {
            "GET /v1/jobs": [page, later],
            f"POST /v1/jobs/{JOB_ID}/cancel": job(),
            f"GET /v1/jobs/{JOB_ID}": job(state="cancelled"),
        }
    )
    monkeypatch.setattr("railyard.client.client.Client", lambda *_, **__: server.client())
    monkeypatch.setattr(home, "token", lambda _: "ry_secret")
    app = App(Output({"NO_COLOR": "1"}, io.StringIO(), io.StringIO()))
    assert going(app, tmp_path, URL, cancel=True) == ["jaaaaaaaaa"]
    assert len(server.asked(f"POST /v1/jobs/{JOB_ID}/cancel")) == 1


def test_up_without_the_servers_extra_prints_the_line_that_installs_it(
    railyard: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(home, "missing_modules", lambda: ["fastapi"])
    ran = railyard("up")
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == 'mend:  pip install "railyard[all]"'


def test_up_tells_the_servers_own_words_when_it_does_not_start(
    railyard: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "railyard.toml").write_text("prot = 1\n")
    monkeypatch.setenv("RAILYARD_CONFIG", str(tmp_path / "railyard.toml"))
    ran = railyard("up", "--detach")
    assert ran.code == 2
    assert "prot" in ran.err
    assert "mend:" in ran.err


# init and the settings it adds


def test_init_writes_a_project_makes_its_data_and_tells_the_server(railyard: Any, tmp_path: Path) -> None:
    ran = railyard("init", str(tmp_path / "demo"))
    assert ran.code == 0
    assert (tmp_path / "demo" / "request.json5").is_file()
    assert list((tmp_path / "demo" / "data").rglob("*.parq*"))
    assert f"cd {tmp_path}/demo && railyard train request.json5 --follow" in ran.err
    settings = Path(os.environ["RAILYARD_HOME"], "railyard.toml").read_text()
    assert settings == f'include = ["{tmp_path}/demo/railyard.toml"]\n'
    again = railyard("init", str(tmp_path / "demo"))
    assert again.code == 6
    assert "overwrites nothing" in again.err


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'include = ["/n"]\n'),
        ("port = 1\n[buckets]\na = 'b'\n", "include = [\"/n\"]\nport = 1\n[buckets]\na = 'b'\n"),
        ('# mine\ninclude = ["/a"]\nport = 1\n', '# mine\ninclude = ["/a", "/n"]\nport = 1\n'),
        ('include = [\n  "/a",\n]\n', 'include = ["/a", "/n"]\n'),
        ('include = ["/n"]\n', None),
    ],
)
def test_a_settings_file_is_included_and_the_rest_stays(before: str, after: str | None) -> None:
    assert with_include(before, "/n") == after


@pytest.mark.parametrize("text", ["not toml", 'include = ["/a"] # why\n', '"include" = ["/a"]\n'])
def test_settings_that_cannot_be_changed_safely_are_left_alone(text: str) -> None:
    with pytest.raises(ValueError):
        with_include(text, "/n")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), min_size=1))
def test_any_path_can_be_included(path: str) -> None:
    import tomllib

    found = with_include("port = 1\n", path)
    assert found is not None
    assert tomllib.loads(found) == {"include": [path], "port": 1}
