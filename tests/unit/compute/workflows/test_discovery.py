"""Right place = discovered; what is broken is listed as broken and harms nothing else."""

from __future__ import annotations

import ast
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from railyard.compute.workflows.discovery import discover, load
from railyard.compute.workflows.sources import classes_in_source
from railyard.errors import AttemptError

GOOD = """
    import railyard

    class {name}(railyard.Workflow):
        "Finds fraud."
        def train(self, training, holdout):
            return 1
"""


def project(folder: Path, **files: str) -> Path:
    """A code project with files below workflows/; `__` in a name is a folder."""
    for name, text in files.items():
        path = folder / "workflows" / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return folder


@pytest.fixture(autouse=True)
def _leave_no_modules(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("railyard_workflow_") or name in ("helper", "shared_steps"):
            del sys.modules[name]


def test_a_file_in_the_right_place_is_found_with_its_facts(tmp_path):
    (found,) = discover(
        project(
            tmp_path,
            teams__fraud="""
                from dataclasses import dataclass
                import railyard

                @dataclass
                class Params:
                    depth: int = railyard.field(6, ge=1)

                class Fraud(railyard.Workflow[Params]):
                    '''Finds fraud.

                    With trees.
                    '''
                    features = ("amount",)
                    label = "is_fraud"
                    data_format = "polars"

                    def train(self, training, holdout):
                        return 1
            """,
        )
    )
    assert (found.name, found.file, found.doc) == ("Fraud", "workflows/teams/fraud.py", "Finds fraud.\n\nWith trees.")
    assert (found.features, found.label, found.data_format, found.broken) == (("amount",), "is_fraud", "polars", None)
    assert found.param_schema["properties"]["depth"] == {
        "default": 6,
        "minimum": 1,
        "title": "Depth",
        "type": "integer",
    }


HOSTILE = {
    "raises": ("raise RuntimeError('no database')", "RuntimeError: no database"),
    "syntax": ("def :", "SyntaxError"),
    "missing": ("import no_such_library_anywhere", "ModuleNotFoundError"),
    "exits": ("import sys; print('bye'); sys.exit(3)", "exit code 3"),
    "leaves": ("import os; os._exit(0)", "exit code 0"),
    "crashes": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    "hangs": ("import threading; print('waiting'); threading.Event().wait()", "did not finish within"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "recurses": ("def f(): f()\nf()", "RecursionError"),
    "closes": (
        "import os\nfor n in range(3, 4096):\n    try: os.close(n)\n    except OSError: pass",
        "ended by itself",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_broken_file_is_listed_with_its_reason_and_harms_no_other(tmp_path, kind):
    text, reason = HOSTILE[kind]
    found = discover(
        project(tmp_path, good=GOOD.format(name="Good"), a_bad=text), timeout=1.5 if kind == "hangs" else 30
    )
    assert [(one.name, bool(one.broken)) for one in found] == [("Good", False), ("a_bad", True)]
    assert reason in found[1].broken
    assert found[1].file == "workflows/a_bad.py"


def test_the_traceback_of_a_broken_file_begins_in_the_users_code(tmp_path):
    (found,) = discover(project(tmp_path, bad="def connect():\n    raise OSError('away')\nconnect()"))
    assert found.broken.startswith("Traceback")
    assert "importlib" not in found.broken
    assert "bad.py" in found.broken.splitlines()[1]


def test_a_name_in_two_files_is_broken_in_both_and_names_both(tmp_path):
    found = discover(project(tmp_path, one=GOOD.format(name="Twin"), two=GOOD.format(name="Twin")))
    assert [one.file for one in found] == ["workflows/one.py", "workflows/two.py"]
    assert all("workflows/one.py" in one.broken and "workflows/two.py" in one.broken for one in found)
    with pytest.raises(AttemptError, match=r"one\.py and in workflows/two\.py"):
        load(tmp_path, "Twin")


def test_hidden_private_and_cached_files_are_skipped(tmp_path):
    place = project(
        tmp_path,
        _private=GOOD.format(name="A"),
        **{".hidden": GOOD.format(name="B"), ".git__x": GOOD.format(name="C")},
    )
    (tmp_path / "workflows" / "__pycache__").mkdir()
    (tmp_path / "workflows" / "__pycache__" / "old.py").write_text(textwrap.dedent(GOOD.format(name="D")))
    assert discover(place) == []


def test_a_shared_base_without_train_is_no_workflow_and_its_heirs_are(tmp_path):
    place = project(
        tmp_path,
        base="import railyard\nclass Base(railyard.Workflow):\n    label = 'y'\n",
        heir="""
            from workflows.base import Base

            class Heir(Base):
                def train(self, training, holdout):
                    return 1
        """,
    )
    assert [(one.name, one.label) for one in discover(place)] == [("Heir", "y")]
    assert set(classes_in_source(place)) == {"Heir"}
    assert load(place, "Heir").label == "y"


def test_bad_class_attributes_break_the_class_and_not_its_neighbour(tmp_path):
    found = discover(
        project(
            tmp_path,
            both="""
                import railyard

                class Wrong(railyard.Workflow):
                    data_format = "polar"
                    def train(self, training, holdout): return 1

                class Params:
                    pass

                class Untyped(railyard.Workflow[Params]):
                    def train(self, training, holdout): return 1

                class Right(railyard.Workflow):
                    def train(self, training, holdout): return 1
            """,
        )
    )
    by_name = {one.name: one.broken for one in found}
    assert 'did you mean "polars"' in by_name["Wrong"]
    assert "must be a dataclass" in by_name["Untyped"]
    assert by_name["Right"] is None


def test_discovery_imports_nothing_into_its_own_process(tmp_path):
    before = set(sys.modules)
    discover(project(tmp_path, good="import this\n" + textwrap.dedent(GOOD.format(name="Good"))))
    assert not {name for name in set(sys.modules) - before if name == "this" or name.startswith("railyard_workflow_")}


def test_no_child_is_left_behind(tmp_path):
    before = {child.pid for child in psutil.Process().children()}
    discover(project(tmp_path, hangs=HOSTILE["hangs"][0]), timeout=0.5)
    assert {child.pid for child in psutil.Process().children()} <= before


def test_load_imports_only_the_file_that_holds_the_class(tmp_path):
    place = project(tmp_path, good=GOOD.format(name="Good"), bad="raise RuntimeError('must not be imported')")
    assert load(place, "Good").__doc__ == "Finds fraud."


def test_helpers_beside_the_workflows_folder_and_inside_it_are_found(tmp_path):
    (tmp_path / "helper.py").write_text("VALUE = 1\n")
    place = project(
        tmp_path,
        shared_steps="STEP = 2\n",
        uses="import helper, shared_steps\n" + textwrap.dedent(GOOD.format(name="Uses")),
    )
    assert load(place, "Uses").__name__ == "Uses"


def test_a_file_called_as_a_library_does_not_hide_it(tmp_path):
    load(
        project(tmp_path, decimal="import decimal\nassert decimal.Decimal\n" + textwrap.dedent(GOOD.format(name="D"))),
        "D",
    )


def test_two_files_of_one_name_are_two_modules(tmp_path):
    place = project(tmp_path, a__fraud=GOOD.format(name="A"), b__fraud=GOOD.format(name="B"))
    assert load(place, "A").__module__ != load(place, "B").__module__


def test_a_modules_name_does_not_depend_on_where_the_project_lies(tmp_path):
    text = GOOD.format(name="Same")
    first = load(project(tmp_path / "one", fraud=text), "Same").__module__
    del sys.modules[first]
    assert load(project(tmp_path / "two", fraud=text), "Same").__module__ == first


def test_an_unknown_name_is_told_with_the_nearest(tmp_path):
    with pytest.raises(AttemptError, match=r"holds no workflow Frud; it holds Eta, Fraud") as caught:
        load(project(tmp_path, a=GOOD.format(name="Fraud"), b=GOOD.format(name="Eta")), "Frud")
    assert caught.value.mend == "did you mean Fraud?"
    assert caught.value.report.step == "prepare"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import railyard\n\nclass X(railyard.Workflow):\n    pass", "does not define train"),
        ("class X:\n    pass", "is no workflow"),
        ("class X: pass\nimport sys\nsys.exit(2)", "does not load: SystemExit: 2"),
        ("class X: pass\n1 / 0", r"does not load: ZeroDivisionError.*workflows/x\.py:2"),
        ("class X: pass\nX = None", "is no workflow"),
        ("import railyard\nclass X(railyard.Workflow):\n features = 'a'\n def train(self, a, b): pass", "one string"),
    ],
)
def test_a_class_that_cannot_be_used_is_refused_with_file_and_reason(tmp_path, text, message):
    with pytest.raises(AttemptError, match=message) as caught:
        load(project(tmp_path, x=text), "X")
    assert caught.value.code == "user_code"


def test_the_folder_is_named_by_bundle_json_then_by_pyproject(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.py").write_text(textwrap.dedent(GOOD.format(name="M")))
    (tmp_path / "pyproject.toml").write_text('[tool.railyard]\nworkflows = "models"\n')
    assert [one.file for one in discover(tmp_path)] == ["models/m.py"]
    (tmp_path / "bundle.json").write_text('{"project": "p", "workflows": "none"}')
    assert discover(tmp_path) == []


def test_a_folder_outside_the_project_is_never_walked(tmp_path):
    project(tmp_path / "outside", bad=GOOD.format(name="Bad"))
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "bundle.json").write_text('{"workflows": "../outside/workflows"}')
    assert discover(inside) == []


def test_classes_are_read_from_the_syntax_tree_with_aliases_and_conditions(tmp_path):
    place = project(
        tmp_path,
        a="""
            raise RuntimeError("never imported")
            from railyard import Workflow as W
            try:
                import torch
            except ImportError:
                torch = None
            if torch:
                class Deep(W[int]):
                    def train(self, a, b): ...
            class Base(W):
                def train(self, a, b): ...
            class _Private(W):
                def train(self, a, b): ...
            class Other:
                def train(self, a, b): ...
        """,
        b="from a import Base\nclass Heir(Base): pass\n",
        c="this is no python",
    )
    assert {name: file.name for name, file in classes_in_source(place).items()} == {
        "Deep": "a.py",
        "Base": "a.py",
        "Heir": "b.py",
    }


def test_the_reader_of_syntax_trees_needs_the_standard_library_alone():
    from railyard.compute.workflows import layout, sources

    for module in (layout, sources):
        for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.split(".")[0] in sys.stdlib_module_names or name.startswith("railyard.compute.workflows.")
