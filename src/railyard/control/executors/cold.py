"""Attempts and questions without a warm interpreter: a program of their own each time. Sync."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from railyard.control.executors.base import Runtime
from railyard.control.executors.interpreters import READY_SECONDS, last_line, runner_command
from railyard.control.executors.processes import send
from railyard.errors import RailyardError, Timeout, Unavailable


def start_cold(
    runtime: Runtime, order: Mapping[str, Any], token: str, environ: Mapping[str, str], log: Path
) -> dict[str, Any]:
    """Starts an attempt: {"uid", "existed"}, once the program has claimed the attempt's name. Raises Unavailable."""
    token_read, token_write = os.pipe()
    claim_read, claim_write = os.pipe()
    try:
        os.write(token_write, token.encode())
        command = [
            *runner_command(runtime), "attempt",
            "--token-descriptor", str(token_read), "--claim-descriptor", str(claim_write),
        ]  # fmt: skip
        with log.open("ab") as said:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=said,
                cwd="/",
                env=dict(environ),
                pass_fds=[token_read, claim_write],
                start_new_session=True,
            )
        threading.Thread(target=process.wait, name=f"cold-{order['name']}", daemon=True).start()
        os.close(claim_write)
        claim_write = -1
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(json.dumps(order).encode())
        text = os.read(claim_read, 4096) if select.select([claim_read], [], [], READY_SECONDS)[0] else b""
        if not text:
            send(process.pid, signal.SIGKILL)
            raise Unavailable(f"the attempt {order['name']} did not start", why=f"{last_line(log)} (in {log})")
        return dict(json.loads(text))
    except OSError as error:
        raise Unavailable(f"{runtime.python} cannot be started: {error.strerror}") from None
    finally:
        for descriptor in (token_read, token_write, claim_read, claim_write):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def ask_cold(
    runtime: Runtime, question: str, body: Mapping[str, Any], environ: Mapping[str, str], seconds: float
) -> dict[str, Any]:
    """The answer to plan or discover. Raises Timeout, Unavailable, RailyardError."""
    try:
        process = subprocess.Popen(
            [*runner_command(runtime), question],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=dict(environ),
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"{runtime.python} cannot be started: {error.strerror}") from None
    try:
        text, _ = process.communicate(json.dumps(body).encode(), timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Timeout(f"the runner did not answer {question} within {seconds:g} s") from None
    finally:
        send(-process.pid, signal.SIGKILL)
        process.wait()
    try:
        answer = json.loads(text)
    except ValueError:
        raise RailyardError(
            f"the runner ended without an answer to {question} (exit code {process.returncode})", code="runner_ended"
        ) from None
    if "error" in answer:
        raise RailyardError(str(answer["error"]), code="runner_refused")
    return dict(answer)
