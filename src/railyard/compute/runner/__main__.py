"""python -m railyard.compute.runner {warm,attempt,plan,discover,verify,local}"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from railyard.compute.runner.folder import AttemptFolder
from railyard.compute.runner.local import run_local
from railyard.compute.runner.order import Order
from railyard.compute.runner.questions import QUESTIONS, answer_to
from railyard.compute.runner.supervisor import supervise
from railyard.compute.runner.verifier import verified
from railyard.compute.runner.warm import warm


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; the exit code is 0 where it did what was asked, 1 where that failed, 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "warm":
            warm(options.socket, options.state, options.ready_descriptor)
            return 0
        case "attempt":
            return _attempt(options.token_descriptor, options.claim_descriptor)
        case "verify":
            return _verify(options.folder, options.code)
        case "local":
            return run_local(options.request, options.project, options.out)
        case question:
            return _question(question)


def _attempt(token: int, claimed: int | None) -> int:
    """Claims the attempt's name for this process and carries it out, unless somebody has it already."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    order = Order.model_validate_json(sys.stdin.read())
    folder = AttemptFolder(order.folder)
    uid = folder.claim(os.getpid(), cold_reason=order.cold_reason or "it was started by hand")
    if claimed is not None:
        os.write(claimed, json.dumps({"uid": uid or folder.uid(), "existed": uid is None}).encode())
        os.close(claimed)
    if uid is not None:
        supervise(order, token)
    return 0


def _question(question: str) -> int:
    """One JSON object on stdin, one on stdout, whatever user code prints in between."""
    stdout = os.dup(1)
    try:
        body = json.loads(sys.stdin.read())
    except ValueError as error:
        answer = {"error": f"expected one JSON object on stdin: {error}"}
    else:
        answer = answer_to(question, body)
    with open(stdout, "w", encoding="utf-8") as out:  # noqa: PTH123
        json.dump(answer, out)
        out.write("\n")
    return 1 if "error" in answer else 0


def _verify(folder: Path, code: Path | None) -> int:
    stdout = os.dup(1)
    os.dup2(2, 1)
    if code is not None:
        sys.path.insert(0, str(code))
    answer = verified(folder, code=code)
    with open(stdout, "w", encoding="utf-8") as out:  # noqa: PTH123
        json.dump(answer, out)
    return 0 if "ok" in answer else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m railyard.compute.runner", description="The program inside an attempt."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    warm_command = commands.add_parser("warm", help="import everything, then fork a supervisor per attempt")
    warm_command.add_argument("--socket", type=Path, required=True, help="Unix socket to listen on")
    warm_command.add_argument("--state", type=Path, required=True, help="file that says who listens")
    warm_command.add_argument("--ready-descriptor", type=int, help="is told `ready` once it listens")
    attempt = commands.add_parser("attempt", help="carry out one attempt; its order as JSON on stdin")
    attempt.add_argument("--token-descriptor", type=int, required=True, help="descriptor to read the token from")
    attempt.add_argument("--claim-descriptor", type=int, help="is told {uid, existed} once the name is claimed")
    for question in QUESTIONS:
        commands.add_parser(question, help="one JSON question on stdin, its answer on stdout")
    verify = commands.add_parser("verify", help="reload a saved model and compare its scores")
    verify.add_argument("folder", type=Path)
    verify.add_argument("--code", type=Path, help="project folder whose modules the model may need")
    local = commands.add_parser("local", help="train in this process, without a server")
    local.add_argument("--request", default="-", help="file with the request as strict JSON; - is stdin")
    local.add_argument("--project", type=Path, default=Path(), help="project folder that holds workflows/")
    local.add_argument("--out", type=Path, help="folder for the result; default ./railyard-local/<model>-<time>")
    return parser


if __name__ == "__main__":
    sys.exit(main())
