"""Which boards there are, which are not told yet, and what is wrong with assignment.toml by file and key."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.course import Board, Front, load_course
from harness.errors import ConfigurationError
from harness.leaderboard.records import Split
from harness.records import Outcome, Text, Visibility

TITLE = Text("Titre", "Title")


def test_without_boards_there_is_one_for_each_headline(make: Any) -> None:
    beside = make.metric(40.0, unit="tokens")
    energy = make.metric(3.0, check="energy", logarithmic=True)
    result = make.marked("ada", **{"bits": 2.0, "bits.tokens": beside, "energy": energy, "bits_private": 2.2})
    section = make.section(make.run(1, result))
    assert not section.declared
    assert [board.measure.metric for board in section.boards] == ["bits", "energy"]
    assert {(board.split, board.measure.step) for board in section.boards} == {(Split.NONE, None)}
    assert [board.measure.logarithmic for board in section.boards] == [False, True]
    assert section.boards[0].title == Text("Mesure bits", "Measure bits")
    assert section.withheld == 1  # of the hidden check
    final = make.section(make.run(1, result), final=True)
    assert [board.measure.metric for board in final.boards] == ["bits", "energy", "bits_private"]
    assert final.withheld == 0


def test_what_is_shown_after_the_due_date_is_withheld_until_then(make: Any) -> None:
    result = make.marked("ada", bits=2.0, energy=1.0)
    checks = tuple(
        replace(check, visibility=Visibility.AFTER_DUE) if check.id == "bits" else check for check in result.checks
    )
    run = make.run(1, replace(result, checks=checks))
    boards = (make.PLAIN, Board(TITLE, "energy"))
    before = make.section(run, boards=boards, fronts=(make.FRONT,))
    assert ([board.measure.metric for board in before.boards], before.fronts, before.withheld) == (["energy"], (), 2)
    after = make.section(run, boards=boards, fronts=(make.FRONT,), after_due=True)
    assert (len(after.boards), len(after.fronts), after.withheld) == (2, 1, 0)


def test_a_front_of_a_hidden_figure_waits_for_the_end(make: Any) -> None:
    run = make.run(1, make.marked("ada", bits_private=2.0, energy=1.0))
    front = Front(TITLE, "bits_private", "energy")
    assert (make.section(run, fronts=(front,)).fronts, make.section(run, fronts=(front,)).withheld) == ((), 2)
    assert len(make.section(run, fronts=(front,), final=True).fronts) == 1


@pytest.mark.parametrize(
    ("boards", "fronts", "key", "words"),
    [
        ((Board(TITLE, "bits_private"),), (), "boards.0.public", "hidden check"),
        ((Board(TITLE, "energy"), Board(TITLE, "bits", "speed")), (), "boards.1.private", "public check"),
        ((Board(TITLE, "bist"),), (), "boards.0.public", "measured: bits, bits_private, energy, speed"),
        ((Board(TITLE, "bits.tokens"),), (), "boards.0.public", "no run measured 'bits.tokens'"),
        ((Board(TITLE, "bits", "privat"),), (), "boards.0.private", "no run measured 'privat'"),
        ((), (Front(TITLE, "bits", "joules"),), "fronts.0.cost", "no run measured 'joules'"),
        ((), (Front(TITLE, "quality", "energy"),), "fronts.0.quality", "no run measured 'quality'"),
    ],
)
def test_a_metric_that_cannot_stand_there_is_named(
    make: Any, boards: tuple[Board, ...], fronts: tuple[Front, ...], key: str, words: str
) -> None:
    run = make.run(1, make.marked("ada", bits=2.0, bits_private=2.0, energy=1.0, speed=1.0))
    with pytest.raises(ConfigurationError) as caught:
        make.section(run, boards=boards, fronts=fronts)
    assert all(part in str(caught.value) for part in ("assignment.toml", f"'{key}'", words))


def test_a_metric_that_nobody_reached_is_no_mistake(make: Any) -> None:
    run = make.run(1, make.marked("ada", bits=Outcome.FAILED), make.marked("ben", bits=Outcome.ERROR))
    board = make.section(run, boards=(make.PLAIN,), fronts=()).boards[0]
    assert (board.measure.better, board.measure.unit, len(board.asides)) == (None, "", 2)


TABLE = """
[[boards]]
title = { fr = "Texte", en = "Text" }
public = "bits"
private = "bits_private"
step = 0.01

[[fronts]]
title = { fr = "Coût", en = "Cost" }
quality = "bits"
cost = "energy"
"""


@pytest.fixture
def course(tmp_path: Path, make: Any) -> Path:
    """A course with one assignment that has a board and a front."""
    bundled = make.assignment().folder
    folder = tmp_path / "ngram"
    folder.mkdir()
    for name in ("checks.py", "data/prenoms.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((bundled / name).read_bytes())
    text = (bundled / "assignment.toml").read_text(encoding="utf-8")
    (folder / "assignment.toml").write_text(text + TABLE, encoding="utf-8")
    (tmp_path / "course.toml").write_text('slug = "c"\ntitle = { fr = "c", en = "c" }\n', encoding="utf-8")
    return tmp_path


def test_boards_are_read(course: Path) -> None:
    file = load_course(course).assignment("ngram").file
    assert file.boards == (Board(Text("Texte", "Text"), "bits", "bits_private", 0.01),)
    assert file.fronts == (Front(Text("Coût", "Cost"), "bits", "energy"),)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("step = 0.01", "step = 0", "boards.0.step"),
        ("step = 0.01", "step = -1.0", "boards.0.step"),
        ("step = 0.01", "step = inf", "boards.0.step"),
        ("step = 0.01", "step = nan", "boards.0.step"),
        ("step = 0.01", 'step = "0.01"', "boards.0.step"),
        ("step = 0.01", "stepp = 0.01", "boards.0.stepp"),
        ('public = "bits"\n', "", "boards.0.public"),
        ('public = "bits"', 'public = ""', "boards.0.public"),
        ('private = "bits_private"', 'private = "bits"', "boards.0.public"),
        (', en = "Text" }', "}", "boards.0.title.en"),
        ('cost = "energy"', 'cost = "bits"', "fronts.0.cost"),
        ('cost = "energy"', "", "fronts.0.cost"),
        ("[[fronts]]", '[[boards]]\npublic = "bits"', "boards.1"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(course: Path, old: str, new: str, words: str) -> None:
    path = course / "ngram" / "assignment.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_course(course)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
