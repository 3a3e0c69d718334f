"""Which frame of a traceback the command line shows."""

from railyard.cli.words import last_frame

TRACEBACK = """Traceback (most recent call last):
  File "/home/code/c1/workflows/bad.py", line 8, in helper
    return df["no_such_column"].mean()
           ~~^^^^^^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/pandas/core/frame.py", line 4330, in __getitem__
    indexer = self.columns.get_loc(key)
KeyError: 'no_such_column'
"""


def test_the_frame_shown_is_the_innermost_of_the_users_own():
    assert last_frame(TRACEBACK) == [
        "/home/code/c1/workflows/bad.py:8 in helper",
        '  return df["no_such_column"].mean()',
        "KeyError: 'no_such_column'",
    ]


def test_without_a_frame_of_their_own_the_librarys_is_shown():
    inside = TRACEBACK.replace("/home/code/c1/workflows", "/venv/lib/python3.11/site-packages/other")
    assert last_frame(inside)[0].startswith("/venv/lib/python3.11/site-packages/pandas/core/frame.py:4330")
