"""docs/intake.md and the sentences in the code speak of the same things."""

import re
from pathlib import Path
from string import Formatter

import pytest

from harness.intake.texts import TEXTS

DOCUMENT = Path(__file__).parents[3] / "docs" / "intake.md"


def test_every_code_is_documented_and_no_other() -> None:
    rows = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    documented = re.findall(r"`([a-z-]+)`", " ".join(rows))
    assert sorted(documented) == sorted(TEXTS)


@pytest.mark.parametrize("code", TEXTS)
def test_both_languages_have_the_same_blanks_and_french_its_typography(code: str) -> None:
    text = TEXTS[code]
    blanks = [{name for _, name, _, _ in Formatter().parse(sentence) if name} for sentence in (text.fr, text.en)]
    assert blanks[0] == blanks[1]
    assert not re.search(r" [:;!?»]|« |\w[;!?]", text.fr), "a no-break space belongs there"
