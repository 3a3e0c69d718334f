"""The runner with a training that does what the request's custom_params say: real processes, no data, no heavy imports.

Started as an interpreter would be: `stub_runner.py -P -m railyard.compute.runner <command> …`.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from railyard.errors import AttemptError
from railyard.spec.attempt import AttemptSpec
from railyard.spec.result import Artifact, CodeInfo, Metrics, ModelInfo, ResultManifest


def train(spec: AttemptSpec, folder: Path, reporter: Any, verify: Callable[[Path], None]) -> ResultManifest:
    params = spec.request.train.custom_params
    reporter.step_started("train")
    began = time.monotonic()
    BEHAVIOURS[str(params.get("do", "succeed"))](params, folder, reporter)
    reporter.step_finished("train", time.monotonic() - began)
    reporter.step_started("save")
    model = folder / "artifacts" / "model"
    model.mkdir(parents=True)
    data = str(params.get("model", "good")).encode()
    (model / "model.bin").write_bytes(data)
    if not params.get("skip_verify"):
        verify(folder)
    reporter.step_finished("save", 0.0)
    saved = Artifact(
        kind="model", path="model/model.bin", sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), format="bin"
    )
    return ResultManifest(
        attempt=spec.name,
        workflow_name=spec.request.train.workflow_name,
        task="none",
        data=None,
        metrics=Metrics(),
        steps=(),
        artifacts=(saved,),
        model=ModelInfo(
            manifest_sha256=saved.sha256,
            format="bin",
            pickled=False,
            bytes=len(data),
            framework="none",
            framework_version="0",
            features=(),
            label=None,
        ),
        code=CodeInfo(),
        seed=spec.seed,
    )


def verify_saved(folder: Path) -> None:
    text = (folder / "artifacts" / "model" / "model.bin").read_text()
    if text == "bad":
        raise AttemptError("serialization", "the scores differ", step="save")
    if text == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if text == "raise":
        raise RuntimeError("no such class")


def _fail(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    raise ValueError("bad \x00 \ud800 text")


def _data(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    raise AttemptError("empty_train", "no rows are left to train on", mend="widen the filters", step="fetch")


def _memory(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    hog = []
    while True:
        hog.append(bytearray(os.urandom(1) * (8 * 2**20)))


def _talk(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    print("to stdout")
    print("to stderr", file=sys.stderr)
    os.write(1, b"by descriptor, invalid \xff\n")
    subprocess.run(["sh", "-c", "echo from a child; printf 'no line end'"], check=True)


def _flood(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    line = b"x" * 99 + b"\n"
    for _ in range(int(params["megabytes"]) * 100):
        os.write(1, line * 100)


def _measure(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    for step in range(int(params["points"])):
        reporter.metric("loss", 1.0 / (step + 1), step)
    reporter.metric("nothing", float("nan"), None)
    reporter.progress(0.5)


def _tell_pids(*pids: int) -> None:
    print("pids", *pids, flush=True)


def _hang(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    if params.get("stubborn"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _tell_pids(os.getpid())
    release = folder / "scratch" / "release"
    while not release.exists():
        time.sleep(0.02)


def _orphans(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    """A grandchild that leaves session, group and parent behind, as a daemon does; it ignores SIGTERM."""
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(write, str(os.getpid()).encode())
            while True:
                time.sleep(60)
        os._exit(0)
    orphan = int(os.read(read, 32))
    os.wait()
    _tell_pids(os.getpid(), orphan)
    if params.get("then") == "hang":
        _hang({}, folder, reporter)


def _look(params: dict[str, Any], folder: Path, reporter: Any) -> None:
    """Says everything that user code can see of its surroundings."""
    print("cwd", Path.cwd())
    print("env", sorted(os.environ.items()))
    print("argv", Path("/proc/self/cmdline").read_bytes())
    print("fds", [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.exists()])
    print("nice", os.nice(0))
    print("stdin", repr(sys.stdin.read()))
    try:
        (folder.parent.parent / "outside").write_text("x")
        print("outside written")
    except PermissionError:
        print("outside refused")


BEHAVIOURS: dict[str, Callable[[dict[str, Any], Path, Any], None]] = {
    "succeed": lambda *_: None,
    "fail": _fail,
    "data": _data,
    "memory": _memory,
    "memory_error": lambda *_: (_ for _ in ()).throw(MemoryError("Unable to allocate 800 GiB")),
    "disk": lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device", "/x")),
    "exit": lambda *_: sys.exit(3),
    "exit_hard": lambda *_: os._exit(7),
    "crash": lambda *_: os.kill(os.getpid(), signal.SIGSEGV),
    "shot": lambda *_: os.kill(os.getpid(), signal.SIGKILL),
    "talk": _talk,
    "flood": _flood,
    "measure": _measure,
    "hang": _hang,
    "orphans": _orphans,
    "look": _look,
}


def install() -> None:
    """Puts the stub where the runner looks for its training, and leaves the heavy rooms out."""
    training = types.ModuleType("railyard.compute.training")
    training.train = train  # type: ignore[attr-defined]
    training.verify_saved = verify_saved  # type: ignore[attr-defined]
    sys.modules["railyard.compute.training"] = training
    data = types.ModuleType("railyard.compute.data")
    data.plan = lambda *_: (_ for _ in ()).throw(AttemptError("data_not_found", "no data here"))  # type: ignore[attr-defined]
    sys.modules["railyard.compute.data"] = data
    discovery = types.ModuleType("railyard.compute.workflows.discovery")
    for name in ("describe", "discover", "load"):
        setattr(discovery, name, lambda *_: [])
    sys.modules["railyard.compute.workflows.discovery"] = discovery
    defaults = types.ModuleType("railyard.compute.workflows.defaults")
    defaults.resolve_request = lambda kind, request: request  # type: ignore[attr-defined]
    sys.modules["railyard.compute.workflows.defaults"] = defaults


def main() -> int:
    install()
    from railyard.compute.runner import __main__ as runner
    from railyard.compute.runner import preload, questions, shipper, warm

    shipper.EVERY_SECONDS = 0.05
    preload.LIBRARIES = ("httpx2", "threadpoolctl")
    # The code of a checkout may change while the tests run; whoever wants an outdated interpreter leaves a file.
    outdated = Path.cwd() / "outdated"
    warm.stamp = lambda: (int(outdated.exists()),)
    questions.QUESTIONS = {**questions.QUESTIONS, **QUESTIONS}
    runner.QUESTIONS = questions.QUESTIONS
    arguments = sys.argv[1:]
    return runner.main(arguments[arguments.index("-m") + 2 :])


def _sleep(body: Any) -> dict[str, Any]:
    Path(body["pid_file"]).write_text(str(os.getpid()))
    time.sleep(600)
    return {}


QUESTIONS = {
    "echo": lambda body: {"heard": dict(body), "pid": os.getpid()},
    "sleep": _sleep,
    "raise": lambda body: (_ for _ in ()).throw(KeyError("x")),
    "die": lambda body: os._exit(9),
    "print": lambda body: print("user code prints") or {"fine": True},
}

if __name__ == "__main__":
    sys.exit(main())
