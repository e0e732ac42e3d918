"""The notation of grammars: what variables, marks and lists of words become, and what is refused."""

from pathlib import Path

import pytest

from assignments.grammars.notation import read_rules

SMALL = """
[variables]
n = ["s", "p"]

[rules.PHRASE]
"^NOM.{n} , VERBE.{n}" = 0.5
"l' NOM.s 's" = 0.5

[words]
"NOM.s" = "ami élève"
"NOM.p" = "amis"
"VERBE.s" = "dort"
"VERBE.p" = "dorment"
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "grammar.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_marks_reach_the_word_they_stick_to_and_free_variables_are_even(written) -> None:
    assert read_rules(written(SMALL), start="PHRASE") == {
        "PHRASE": [
            (0.25, ("^NOM.s,", "VERBE.s")),
            (0.25, ("^NOM.p,", "VERBE.p")),
            (0.5, ("l'NOM.s's",)),
        ],
        "^NOM.s,": [(pytest.approx(2 / 3), ("Ami,",)), (pytest.approx(1 / 3), ("Élève,",))],
        "^NOM.p,": [(1.0, ("Amis,",))],
        "l'NOM.s's": [(pytest.approx(2 / 3), ("l'ami's",)), (pytest.approx(1 / 3), ("l'élève's",))],
        "VERBE.s": [(1.0, ("dort",))],
        "VERBE.p": [(1.0, ("dorment",))],
    }


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('"VERBE.p" = "dorment"', ""), "'VERBE.p' has no rule"),
        (('"VERBE.p"', '"ADVERBE" = "bien"\n"VERBE.p"'), "no sentence uses ['ADVERBE']"),
    ],
)
def test_a_symbol_without_a_rule_or_a_rule_without_use_is_refused(
    written, change: tuple[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError) as caught:
        read_rules(written(SMALL.replace(*change)), start="PHRASE")
    assert complaint in str(caught.value)
