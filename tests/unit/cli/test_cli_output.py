"""stdout is data, stderr is talk; tables, pipes, colours and JSON."""

from __future__ import annotations

import io
import json

import pytest
from fake_server import JOB_ID, failed, job, problem, succeeded
from hypothesis import given
from hypothesis import strategies as st

from railyard.cli.output import Column, Output, aligned, display_width, shortened
from railyard.cli.values import pairs, parsed
from railyard.cli.words import last_frame, size, took

LIST = {"GET /v1/jobs": {"items": [succeeded(), failed(), job()], "next": None}}


def test_a_table_on_a_terminal_is_aligned_and_its_footer_is_talk(railyard) -> None:  # type: ignore[no-untyped-def]
    ran = railyard("job", "list", routes=LIST, tty=True)
    first, second, *_ = ran.out.splitlines()
    assert first.split()[:3] == ["STATE", "JOB", "MODEL"]
    assert second.startswith(f"✓ succeeded  {JOB_ID}  fraud")
    assert "0.0031 USD" in second
    assert "3 shown" in ran.err
    assert ran.code == 0


def test_a_pipe_gets_tabs_whole_values_and_no_header(railyard) -> None:  # type: ignore[no-untyped-def]
    ran = railyard("job", "list", routes=LIST)
    rows = [row.split("\t") for row in ran.out.splitlines()]
    assert [row[0] for row in rows] == ["succeeded", "failed", "running"]
    assert rows[0][4:8] == ["auc=0.912", "12.000", "0.0031", "2026-11-21T09:12:00Z"]
    assert rows[1][-1] == "out_of_memory"
    assert {len(row) for row in rows} == {9}


def test_quiet_prints_ids_alone(railyard) -> None:  # type: ignore[no-untyped-def]
    ran = railyard("job", "list", "-q", routes=LIST, tty=True)
    assert ran.out.split() == [JOB_ID] * 3
    assert ran.err == ""


def test_json_is_the_resource_and_fields_select_from_it(railyard) -> None:  # type: ignore[no-untyped-def]
    whole = json.loads(railyard("job", "list", "--json", routes=LIST).out)
    assert whole[0]["cost"]["amount"] == "0.0031"
    some = json.loads(railyard("job", "list", "--json", "job_id,state", routes=LIST).out)
    assert some[1] == {"job_id": JOB_ID, "state": "failed"}
    one = railyard("job", "show", "--json", JOB_ID, routes={f"GET /v1/jobs/{JOB_ID}": job()})
    assert json.loads(one.out)["state"] == "running"
    before = railyard("--json=state", "job", "show", JOB_ID, routes={f"GET /v1/jobs/{JOB_ID}": job()})
    assert before.code == 2


def test_an_unknown_field_names_those_there_are(railyard) -> None:  # type: ignore[no-untyped-def]
    ran = railyard("job", "list", "--json", "stat", routes=LIST)
    assert ran.code == 2
    assert ran.out == ""
    message = json.loads(ran.err)["error"]["message"]
    assert message.startswith("there is no field stat; the fields are job_id, seq, state")


def test_an_error_is_four_lines_on_stderr(railyard) -> None:  # type: ignore[no-untyped-def]
    answer = problem(
        404, "not_found", "there is no job j9", why="w", mend="railyard job list", docs="http://d", request_id="r1"
    )
    ran = railyard("job", "show", "j9", routes={"GET /v1/jobs/j9": answer})
    assert ran.code == 3
    assert ran.out == ""
    assert ran.err == "error: there is no job j9\nwhy:   w\nmend:  railyard job list\nmore:  http://d   request r1\n"


def test_with_json_an_error_is_one_json_line_on_stderr(railyard) -> None:  # type: ignore[no-untyped-def]
    ran = railyard(
        "job", "show", "j9", "--json", routes={"GET /v1/jobs/j9": problem(403, "forbidden", "no", mend="ask")}
    )
    assert (ran.code, ran.out, ran.err.count("\n")) == (4, "", 1)
    error = json.loads(ran.err)["error"]
    assert (error["code"], error["message"], error["mend"]) == ("forbidden", "no", "ask")
    usage = railyard("job", "list", "--jsonn", "--json")
    assert json.loads(usage.err)["error"]["code"] == "no_such_option"


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [(401, "unauthorized", 4), (403, "forbidden", 4), (404, "not_found", 3), (409, "ambiguous", 3), (409, "conflict", 6),
     (413, "too_large", 6), (422, "invalid", 2), (429, "rate_limited", 6), (500, "internal", 1), (503, "unavailable", 5)],
)  # fmt: skip
def test_every_kind_of_error_has_its_exit_code(railyard, status: int, code: str, wanted: int, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert railyard("job", "cancel", "j9", routes={"POST .*": problem(status, code, "x")}).code == wanted


def test_what_nobody_foresaw_is_one_line_and_a_traceback_only_with_debug(railyard) -> None:  # type: ignore[no-untyped-def]
    ran = railyard("job", "list", routes={"GET /v1/jobs": ZeroDivisionError("boom")})
    assert ran.code == 1
    assert ran.err == "error: ZeroDivisionError: boom\nmend:  run it again with --debug for the traceback\n"
    assert "Traceback" in railyard("job", "list", "--debug", routes={"GET /v1/jobs": ZeroDivisionError("boom")}).err


@pytest.mark.parametrize(
    ("args", "message", "mend"),
    [
        (["jbo"], 'there is no command "jbo" in railyard', "railyard job"),
        (["job", "lst"], 'there is no command "lst" in railyard job', "railyard job list"),
        (["job", "list", "--stat", "x"], "railyard job list has no option --stat", "railyard job list --state"),
        (["job", "show"], "missing argument 'JOB'", "railyard job show --help"),
        (
            ["job", "list", "-n", "0"],
            "invalid value for '-n' / '--limit': 0 is not in the range x>=1",
            "railyard job list --help",
        ),
    ],
)
def test_a_slip_on_the_command_line_is_mended(railyard, args: list[str], message: str, mend: str) -> None:  # type: ignore[no-untyped-def]
    ran = railyard(*args)
    assert ran.code == 2
    lines = dict(line.split(None, 1) for line in ran.err.splitlines())
    assert lines["error:"] == message
    assert lines["mend:"] == mend


@pytest.mark.parametrize(
    ("environ", "tty", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"RAILYARD_FORCE_TTY": "1"}, False, True),
    ],
)
def test_colours_follow_the_terminal_and_the_agreed_variables(
    environ: dict[str, str], tty: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: tty)
    out = Output(environ, stream, stream)
    out.line(out.ink("x", "bad"))
    assert ("\x1b[" in stream.getvalue()) is coloured


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=5), st.integers(30, 100))
def test_no_line_of_a_table_is_wider_than_the_terminal(rows: list[tuple[str, str]], width: int) -> None:
    cells = [["".join(c for c in cell if c.isprintable()) for cell in row] for row in rows]
    for text in aligned([Column("A", wide=True), Column("B", wide=True)], cells, width):
        assert display_width(text) <= max(width, 12 * 2 + 2)


def test_wide_characters_count_twice_and_are_cut_whole() -> None:
    assert display_width("日本") == 4
    assert shortened("日本語", 4) == "日…"
    assert shortened("plain", 5) == "plain"


def test_values_on_the_command_line_are_json_or_text() -> None:
    assert pairs(["a=1", "b=x", 'c={"d": [null]}', "e=", "f=1e-300", "g=NaN", "h=a=b"], "-p") == {
        "a": 1, "b": "x", "c": {"d": [None]}, "e": "", "f": 1e-300, "g": "NaN", "h": "a=b",
    }  # fmt: skip
    assert parsed("9007199254740993") == 9007199254740993
    assert parsed('"5"') == "5"


def test_numbers_read_well() -> None:
    assert [took(None), took(0.41), took(250), took(7500)] == ["–", "0.4 s", "4m 10s", "2h 05m"]
    assert [size(10), size(4403241779)] == ["10 B", "4.1 GiB"]


def test_the_last_frame_of_a_traceback_is_found() -> None:
    text = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n  File "b.py", line 2, in g\n    1/0\nZeroDivisionError: x\n'
    assert last_frame(text) == ["b.py:2 in g", "  1/0", "ZeroDivisionError: x"]
    assert last_frame("SyntaxError: bad") == ["SyntaxError: bad"]
    assert last_frame("") == []


def test_without_other_streams_talk_goes_to_stderr_and_data_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output({})
    out.line("data")
    for speak in (out.talk, out.note, out.side):
        speak("talk")
    out.problem("code", "wrong")
    printed = capsys.readouterr()
    assert printed.out == "data\n"
    assert printed.err == "talk\n" * 3 + "error: wrong\n"
