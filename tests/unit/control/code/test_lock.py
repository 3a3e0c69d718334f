"""Locks hold pinned requirements; what would lead elsewhere is refused by line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from railyard.control.code.lock import read_lock
from railyard.errors import Invalid

HASH = f"sha256:{'0a' * 32}"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ()),
        ("# only a comment\n\n", ()),
        ("numpy==2.4.6", ("numpy==2.4.6",)),
        ("numpy == 2.4.6   # via polars\r\nscipy===1.0\r\n", ("numpy == 2.4.6", "scipy===1.0")),
        ("ruamel.yaml[jinja2,x]==0.18.6 ; python_version >= '3.11'", ("ruamel.yaml[jinja2,x]==0.18.6 ; python_version >= '3.11'",)),
        ("torch==2.6.0+cpu\ntz==2024!1.0rc1", ("torch==2.6.0+cpu", "tz==2024!1.0rc1")),
        (f"a==1 \\\n    --hash={HASH} \\\n    --hash={HASH}\n    # via b\n", (f"a==1 --hash={HASH} --hash={HASH}",)),
        ("pkg @ https://example.org/pkg-1.0-py3-none-any.whl#sha256=ab", ("pkg @ https://example.org/pkg-1.0-py3-none-any.whl#sha256=ab",)),
        ("pkg @ git+https://example.org/pkg@0a1b2c", ("pkg @ git+https://example.org/pkg@0a1b2c",)),
        ("Railyard[train]==0.1.0\nrailyard==0.2\nx==1", ("x==1",)),  # a runtime gets the server's own
    ],
)  # fmt: skip
def test_a_lock_is_read_line_by_line(text: str, lines: tuple[str, ...]) -> None:
    assert read_lock(text, "requirements.lock").lines == lines


def test_hashes_are_noticed_and_left_out_of_constraints() -> None:
    lock = read_lock(f"a[x]==1 ; python_version > '3' --hash={HASH}\nb==2 --hash {HASH}\n", "l")
    assert lock.hashed
    assert lock.constraints == ("a==1 ; python_version > '3'", "b==2")
    assert not read_lock("a==1", "l").hashed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("numpy", "line 1 is 'numpy'"),
        ("a==1\nnumpy>=2", "line 2 is 'numpy>=2'"),
        ("numpy==2.*", "line 1"),
        ("numpy~=2.0", "line 1"),
        ("numpy==2.0,<3", "line 1"),
        ("-r other.txt", "line 1 is the option '-r'"),
        ("--requirement=/etc/passwd", "option '--requirement=/etc/passwd'"),
        ("--index-url https://user:secret@example.org/simple", "line 1 is the option '--index-url'"),
        ("--extra-index-url=x\n", "option"),
        ("-e .", "option '-e'"),
        ("a==1 --config-settings=x=y", "line 1"),
        ("./local/pkg", "line 1"),
        ("/etc/passwd", "line 1"),
        ("pkg @ file:///etc/passwd", "line 1"),
        ("pkg @ http://example.org/x.whl", "line 1"),
        ("https://example.org/x.whl", "line 1"),
        ("a==1 b==2", "line 1"),
        ("a==1 \\\n-r /etc/passwd", "line 1"),
        ("a==$(whoami)x y", "line 1"),
    ],
)
def test_what_is_not_a_pin_is_refused_by_line(text: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_lock(text, "requirements.lock")
    assert caught.value.code == "bad_lock"
    assert told in caught.value.why
    assert "secret" not in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        lock = read_lock(text, "l")
    except Invalid:
        return
    assert all("==" in line or "@" in line for line in lock.lines)
    assert not any(line.startswith("-") for line in lock.lines)
