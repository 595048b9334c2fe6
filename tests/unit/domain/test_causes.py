"""Why processes failed, in few words."""

import pytest
from fractal_jobs.domain.causes import Failures, exception_line, summary

LOG = """\
Task failed with returncode=1.
STDERR: loading
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    f()
KeyError: 'first'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise module.ChannelError("no such channel:\\n DAPI")
module.ChannelError: no such channel:
 DAPI
"""


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (LOG, "module.ChannelError: no such channel:"),
        ("Traceback (most recent call last):\n  x\nMemoryError\n", "MemoryError"),
        ("Traceback (most recent call last):\n  x", None),
        ("Error: not a traceback", None),
        ("Traceback (most recent call last):\n  x\nE: " + "y" * 1000, "E: " + "y" * 297),
    ],
)
def test_the_exception_is_that_of_the_last_traceback(log: str, expected: str | None) -> None:
    assert exception_line(log) == expected


def test_the_most_frequent_cause_comes_first() -> None:
    failures = [
        Failures(1, "signal", -9, 9, None, 2 * 1024 * 1024, 3.44),
        Failures(2, "exit_code", 1, None, "KeyError: 'x'", None, None),
        Failures(1, "lost", None, None, None, None, None),
    ]
    assert summary(failures, 40) == (
        "4 of 40 processes failed: 2 × exit code 1 (KeyError: 'x'), "
        "1 × killed by SIGKILL (peak memory 2048 MB; 3.4 s), 1 × lost"
    )
    assert summary(failures[2:], 1) == "1 of 1 processes failed: lost"


def test_many_causes_are_cut_short() -> None:
    failures = [Failures(1, "exit_code", number, None, None, None, None) for number in range(1, 9)]
    assert summary(failures, 8).endswith("1 × exit code 5, 3 × other causes")
