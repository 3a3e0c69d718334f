"""What is answered when a request's code or workflow is not there, is broken, or is not unique. Pure: no database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from railyard.errors import Ambiguous, Conflict, Invalid, NotFound, nearest
from railyard.spec.records import CodeVersion, FieldProblem, WorkflowInfo

_WORKFLOW = "train.workflow_name"
_ID = re.compile(r"c[0-9a-f]{0,12}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Reference:
    """How a code version is named: by an id or its beginning, or as `project@version`."""

    kind: Literal["id", "version"]
    project: str
    rest: str


def parse_reference(code: str) -> Reference:
    """`c0ffee` or `fraud@1.2`. Raises NotFound (code `unknown_code`) for anything else."""
    project, separator, version = code.partition("@")
    if separator and _VERSION.fullmatch(project) and _VERSION.fullmatch(version):
        return Reference("version", project, version)
    if not separator and _ID.fullmatch(code):
        return Reference("id", "", code)
    raise NotFound(
        f"{code[:200]!r} names no code version",
        code="unknown_code",
        why="expected the id of a code bundle, such as c0ffee123456, or project@version",
        mend="railyard api GET /v1/code lists what is there",
    )


def unknown_code(code: str, known: Sequence[str]) -> NotFound:
    guess = nearest(code, known)
    return NotFound(
        f"there is no code version {code}",
        code="unknown_code",
        why=f"there is {', '.join(known[:10])}" if known else "no code has been deployed yet",
        mend=f"did you mean {guess}?" if guess else "send it with: railyard deploy FOLDER",
        detail={"nearest": guess, "known": list(known[:50])},
    )


def ambiguous_code(prefix: str, found: Sequence[CodeVersion]) -> Ambiguous:
    ids = [version.code_id for version in found]
    return Ambiguous(
        f"{prefix} is the beginning of several code versions",
        why=", ".join(ids[:5]) + (" and more" if len(ids) > 5 else ""),
        mend="give more of the id",
        detail={"candidates": ids},
    )


def as_field(code: str, error: NotFound | Ambiguous) -> Invalid:
    """The same answer, for a request whose field `code` holds it."""
    guess = error.detail.get("nearest")
    problem = FieldProblem(path="code", expected="a code version that is there", got=code[:200], nearest=guess)
    return Invalid(
        error.message, code="unknown_code", why=error.why, mend=error.mend, detail=error.detail, fields=[problem]
    )


def check_holds(version: CodeVersion, workflow_name: str) -> CodeVersion:
    """The version itself, when a job of this workflow may run with it.

    Raises Invalid: `unknown_workflow` when it does not hold it, `broken_workflow` when its file does not load,
    `broken_code` when its runtime cannot be built.
    """
    info = next((info for info in version.workflows if info.name == workflow_name), None)
    if version.state == "broken":
        raise Invalid(
            f"the code {version.code_id} of {version.project} cannot run",
            code="broken_code",
            why=version.message or "",
            mend="correct the code project and send it again",
        )
    if info is None:
        known = [each.name for each in version.workflows if not each.broken]
        raise unknown_workflow(workflow_name, known, f"the code {version.code_id} of {version.project}")
    if info.broken:
        raise _broken(version, info)
    return version


def unknown_workflow(name: str, known: Sequence[str], where: str, undeployed: CodeVersion | None = None) -> Invalid:
    """`where` says what was searched; `undeployed` is a version that holds the workflow and was never deployed."""
    guess = nearest(name, known)
    listed = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    mend = f"did you mean {guess}?" if guess else f"put a class {name}(railyard.Workflow) into workflows/ and deploy it"
    if undeployed is not None:
        mend = f'railyard deploy, or name it in the request: "code": "{undeployed.code_id}"'
    return Invalid(
        f"{where} holds no workflow {name}",
        code="unknown_workflow",
        why=f"it holds {listed}" if known else "it holds none",
        mend=mend,
        fields=[
            FieldProblem(
                path=_WORKFLOW, expected=f"one of {listed}" if known else "a workflow", got=name, nearest=guess
            )
        ],
        detail={"workflows": list(known)},
    )


def _broken(version: CodeVersion, info: WorkflowInfo) -> Invalid:
    lines = (info.broken or "").strip().splitlines()
    last = lines[-1] if lines else ""
    return Invalid(
        f"the workflow {info.name} does not load: {last}",
        code="broken_workflow",
        why=f"{info.file} of the code {version.code_id} ({version.project})",
        mend=f"correct {info.file} and send the code again; railyard workflow show {info.name} has the whole traceback",
        fields=[FieldProblem(path=_WORKFLOW, expected="a workflow that loads", got=f"{info.name}: {last}"[:500])],
        detail={"traceback": info.broken},
    )


def check_deployable(version: CodeVersion) -> None:
    """Raises Conflict while the version is building, and Invalid when it is broken or holds no workflow that loads."""
    if version.state == "building":
        raise Conflict(
            f"{version.code_id} is not ready yet: its runtime is being built",
            code="code_building",
            mend="try again in a moment; railyard deploy waits for it, unless it is told --no-wait",
        )
    if version.state == "broken":
        raise Invalid(
            f"{version.code_id} of {version.project} cannot be deployed: its runtime cannot be built",
            code="broken_code",
            why=version.message or "",
            mend="correct the code project and send it again",
        )
    if all(info.broken for info in version.workflows):
        why = "; ".join(f"{info.file}: {_last_line(info.broken)}" for info in version.workflows[:5])
        raise Invalid(
            f"{version.code_id} of {version.project} holds no workflow that loads",
            code="broken_code",
            why=why or "no class in the workflows folder subclasses railyard.Workflow",
            mend="correct the files and send the code again",
        )


def check_version(version: str) -> str:
    """The version itself. Raises Invalid (code `bad_version`)."""
    if not _VERSION.fullmatch(version):
        raise Invalid(
            f"{version[:200]!r} cannot be a version",
            code="bad_version",
            why="expected at most 128 letters, digits, '.', '_' or '-', a letter or digit first",
            mend="use a git SHA, a date or a number such as 1.2",
        )
    return version


def version_taken(project: str, version: str, other: str) -> Conflict:
    return Conflict(
        f"{project}@{version} is already the code {other}",
        code="version_taken",
        why="a version never moves to other code",
        mend="deploy under another version",
    )


def already_named(version: CodeVersion) -> Conflict:
    return Conflict(
        f"{version.code_id} is already {version.project}@{version.version}",
        code="version_taken",
        why="a code version has one name",
        mend="deploy it without naming a version, or change the code",
    )


def claimed(project: str, others: dict[str, str]) -> Conflict:
    """`others`: workflow name to the project that holds it."""
    name, first = sorted(others.items())[0]
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    return Conflict(
        f"the workflow {name} belongs to the code project {first}{more}",
        code="workflow_claimed",
        why="a workflow name lives in one code project: a request that names no code must not be ambiguous",
        mend=f"rename the class in {project}",
        detail={"workflows": others},
    )


def default_version(version: CodeVersion) -> str:
    """The git SHA where it tells all: 12 digits of it for a clean checkout; otherwise the code's own id."""
    return version.git_sha[:12] if version.git_sha and not version.dirty else version.code_id


def merged(static: Sequence[WorkflowInfo], loaded: Sequence[WorkflowInfo]) -> list[WorkflowInfo]:
    """What loading told, and the classes of files that did not load: they stay known by name, with the traceback."""
    broken = {info.file: info for info in loaded if info.broken}
    names = {info.name for info in loaded if not info.broken}
    kept = [
        info.model_copy(update={"broken": broken[info.file].broken})
        for info in static
        if info.file in broken and info.name not in names
    ]
    replaced = {info.file for info in kept}
    return kept + [info for info in loaded if not (info.broken and info.file in replaced)]


def _last_line(text: str | None) -> str:
    lines = (text or "").strip().splitlines()
    return lines[-1] if lines else ""
