"""What an instructor can get wrong in checks.py is said with the place and the remedy."""

from pathlib import Path
from typing import Any

import pytest

from harness import checks
from harness.errors import ConfigurationError

GOOD = '@check(points=1, fr="Un", en="One")\ndef test_one(submission): ...\n'


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def test_(:", "line 6"),
        ("1 / 0", "line 6: ZeroDivisionError"),
        ("", "declares no check"),
        ("def test_one(submission): ...", "test_one is a test without points or title"),
        (
            f"import unittest\n{GOOD}class TestTwo(unittest.TestCase):\n    def test_two(self): ...",
            "test_two is a test without points or title",
        ),
        (GOOD + GOOD, "test_one is defined twice, in lines 7 and 9"),
        ('@check(points=1, fr="Un")\ndef test_one(): ...', "line 6: TypeError"),
        ('@check(points=1, fr=" ", en="One")\ndef test_one(): ...', "title in French and in English"),
        ('@check(points=-1, fr="Un", en="One")\ndef test_one(): ...', "points=-1"),
        ('@check(points=float("nan"), fr="Un", en="One")\ndef test_one(): ...', "points=nan"),
        ('@check(points=1, fr="Un", en="One", visibility="secret")\ndef test_one(): ...', "'secret'"),
        ('@check(points=1, fr="Un", en="One", needs="two")\ndef test_one(): ...', "not a list"),
        ('@check(points=1, fr="Un", en="One", needs=["two"])\ndef test_one(): ...', "needs 'two', which is no check"),
        ('@check(points=1, fr="Un", en="One", needs=["one"])\ndef test_one(): ...', "needs 'one', which is no check"),
        (
            '@check(points=1, fr="H", en="H", visibility="hidden")\ndef test_h(): ...\n'
            '@check(points=1, fr="Un", en="One", needs=["h"])\ndef test_one(): ...',
            "test_one is public but needs 'h'",
        ),
        (
            '@check(points=1, fr="Un", en="One")\n@pytest.mark.parametrize("x", 3)\ndef test_one(x): ...',
            "checks.py",
        ),
    ],
)
def test_mistakes_are_named(write: Any, source: str, words: str) -> None:
    path = write(source)
    with pytest.raises(ConfigurationError) as caught:
        checks.collect(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        checks.collect(tmp_path / "nowhere.py")


def test_points_must_add_up(write: Any) -> None:
    path = write(GOOD)
    specs = checks.collect(path)
    checks.verify(specs, points=1.0, path=path)
    with pytest.raises(ConfigurationError, match=r"checks add up to 1 points, assignment\.toml says 20"):
        checks.verify(specs, points=20.0, path=path)
