"""Workflow classes are read from the syntax tree: what descends from a …Workflow is found, nothing is run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from railyard.control.code.workflow_classes import read_classes


def _names(**files: str) -> list[str]:
    contents = {name.replace("__", "/") + ".py": text.encode() for name, text in files.items()}
    return [info.name for info in read_classes(contents, "workflows")]


@pytest.mark.parametrize(
    "text",
    [
        "import railyard\nclass A(railyard.Workflow): ...",
        "from railyard import Workflow\nclass A(Workflow): ...",
        "from railyard import Workflow as W\nclass A(W): ...",
        "class A(railyard.Workflow[Params]): ...",
        "class A(Mixin, BaseWorkflow, metaclass=M): ...",
        "class Base(Workflow): ...\nclass _Hidden(Workflow): ...\nclass A(Base): ...\ndel Base",
        "try:\n    import x\nexcept ImportError:\n    pass\nelse:\n    class A(Workflow): ...",
        "if True:\n    class A(Workflow): ...",
        "with open('x'):\n    class A(Workflow): ...",
        "try: ...\nexcept E:\n    class A(Workflow): ...",
        "@decorated\nclass A(Workflow): ...",
    ],
)
def test_a_class_that_descends_from_a_workflow_is_found(text: str) -> None:
    assert "A" in _names(workflows__a=text)


@pytest.mark.parametrize(
    "text",
    [
        "class A: ...",
        "class A(Model): ...",
        "class _A(Workflow): ...",
        "def f():\n    class A(Workflow): ...",
        "class Outer:\n    class A(Workflow): ...",
        "A = type('A', (Workflow,), {})",
        "# class A(Workflow): ...",
        "class A(A): ...",
        "class A(B): ...\nclass B(A): ...",
        "class A(*bases): ...",
        "class A(f()): ...",
        "class A(WorkflowMixin): ...",
    ],
)
def test_what_does_not_descend_from_one_is_not(text: str) -> None:
    assert _names(workflows__a=text) == []


def test_a_base_in_another_file_of_the_project_counts_though_it_is_not_listed() -> None:
    base = "class Shared(railyard.Workflow): ..."
    assert _names(lib__base=base, workflows__a="from lib.base import Shared\nclass A(Shared): ...") == ["A"]


def test_hidden_and_private_files_and_files_elsewhere_are_not_listed() -> None:
    text = "class {}(Workflow): ..."
    files = {
        "workflows/_base.py": "B",
        "workflows/.x/c.py": "C",
        "workflows/_p/d.py": "D",
        "other/e.py": "E",
        "workflows/sub/f.py": "F",
    }
    contents = {path: text.format(name).encode() for path, name in files.items()}
    assert [info.name for info in read_classes(contents, "workflows")] == ["F"]


def test_doc_and_file_are_told() -> None:
    (info,) = read_classes({"workflows/a.py": b'class A(Workflow):\n    """Line.\n\n    more\n    """'}, "workflows")
    assert (info.file, info.doc, info.broken) == ("workflows/a.py", "Line.\n\nmore", None)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"class A(Workflow)\n    pass", "SyntaxError: expected ':'"),
        (b"\xff\xfe", "Error"),
        (b"a = 1\0", "null bytes"),
        (b"(" * 100_000, "Error"),
        (b"-" * 200_000 + b"1", "Error"),
        (b"# coding: klingon\n", "klingon"),
        (b"if True:\nx = 1", "IndentationError"),
    ],
)
def test_a_file_that_does_not_parse_is_listed_as_broken(content: bytes, told: str) -> None:
    (info,) = read_classes({"workflows/bad.py": content}, "workflows")
    assert (info.name, info.file) == ("bad", "workflows/bad.py")
    assert told in (info.broken or "")
    assert "bad.py" in (info.broken or "")


@pytest.mark.parametrize("depth", [90, 400, 900, 1500, 5000])
def test_nesting_of_any_depth_does_no_harm(depth: int) -> None:
    deep = {"subscript": b"class A(W" + b"[0]" * depth + b"): ...", "branch": b"if x: ...\n" + b"elif x: ...\n" * depth}
    for name, text in deep.items():
        found = read_classes({f"workflows/{name}.py": text, "workflows/b.py": b"class B(Workflow): ..."}, "workflows")
        assert "B" in [info.name for info in found]


def test_a_broken_file_elsewhere_is_nobodys_workflow() -> None:
    assert read_classes({"lib/bad.py": b"(", "workflows/a.py": b"class A(Workflow): ..."}, "workflows")[0].name == "A"


def test_one_name_in_two_files_is_listed_once() -> None:
    text = "class A(Workflow): ..."
    assert _names(workflows__a=text, workflows__b=text) == ["A"]


def test_nothing_is_run() -> None:
    assert _names(workflows__a="raise SystemExit\nclass A(Workflow): ...\nimport os; os._exit(3)") == ["A"]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_read(content: bytes) -> None:
    read_classes({"workflows/a.py": content}, "workflows")
