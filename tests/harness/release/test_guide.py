"""The examples of docs/writing-assignments.md do what the page says."""

import re
from pathlib import Path

from harness.course import EntryPoint, load_course
from harness.records import Text
from harness.release.stubs import stubs

GUIDE = (Path(__file__).parents[3] / "docs" / "writing-assignments.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The one example in `language`."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.DOTALL)
    return str(found)


def test_the_declaration_loads(tmp_path: Path) -> None:
    folder = tmp_path / "doubling"
    (folder / "data").mkdir(parents=True)
    for name in ("checks.py", "data/numbers.txt", "data/answers.txt"):
        (folder / name).write_text("")
    (folder / "assignment.toml").write_text(block("toml"), encoding="utf-8")
    (tmp_path / "course.toml").write_text('slug = "one"\ntitle = { fr = "Un", en = "One" }\n')
    file = load_course(tmp_path).assignment("doubling").file
    assert (file.due is not None, file.late.percent_per_day) == (True, 10)
    assert [entry.name for entry in file.entry_points] == ["double"]
    assert not re.search("\u0020[:;?!»]", file.entry_points[0].takes.fr)


def test_the_hints_are_kept_in_their_language() -> None:
    entry = EntryPoint("double", "double(x)", Text("un entier", "an integer"), Text("un entier", "an integer"))
    for language, hint in (("fr", "# Une addition suffit."), ("en", "# One addition will do.")):
        made = stubs(block("python"), {"double": entry}, language)
        assert re.findall(r"# .*", made) == [hint]
