"""Names on boards: nobody is impersonated, nothing is hidden in a name, and drawn names say nothing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigurationError
from harness.leaderboard.pseudonyms import drawn, encode_kept, read_chosen, read_kept, skeleton, unfit

STUDENTS = ("student-07", "Anna Lund", "jean.dupont", "李雷")


def chosen(tmp_path: Path, *lines: str, kept: dict[str, str] | None = None) -> dict[str, str]:
    path = tmp_path / "pseudonyms.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_chosen(path, STUDENTS, kept=kept or {})


@pytest.mark.parametrize(
    "name",
    ["Nébuleuse", "n0va", "Œdipe", "Łukasz 2", "D'Artagnan", "l’étoile", "ليلى", "Ωμέγα", "Москва", "月光", "हिन्दी",
     "한글", "Nguyễn", "Straße", "a", "x" * 40, "Savannah", "student"],
)  # fmt: skip
def test_people_may_be_called_so(tmp_path: Path, name: str) -> None:
    assert unfit(name) is None
    assert chosen(tmp_path, f'"student-07" = "{name}"') == {"student-07": name}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "0 characters"),
        ("x" * 41, "41 characters"),
        (" ada", "blanks"),
        ("a  b", "blanks"),
        ("a\nb", "blanks"),
        ("---", "no letter"),
        ("\u0301", "no letter"),
        ("<script>alert(1)</script>", "'<'"),
        ("a&amp;b", "'&'"),
        ('"', "'\"'"),
        ("\x1b[31mred", "\\x1b"),
        ("ada\u202egnp", "\\u202e"),
        ("a\u200bda", "\\u200b"),
        ("a\xadda", "\\xad"),
        ("\ufeffada", "\\ufeff"),
        ("ad\u115fa", "mixes scripts"),
        ("🦊", "\\U0001f98a"),
        ("١٢", "\\u0661"),
        ("𝐚𝐝𝐚", "\\U0001d41a"),
        ("ａda", "\\uff41"),
        ("ɑda", "\\u0251"),
        ("Zalgo\u0301\u0302\u0303\u0304", "accents"),
        ("аda", "mixes scripts (Cyrillic, Latin)"),
        ("Ωmega", "mixes scripts (Greek, Latin)"),
        ("Baseline", "figures"),
        ("0rac1e", "figures"),
        ("Réference", "figures"),
        ("BAREME", "figures"),
    ],
)
def test_nobody_may_be_called_so(tmp_path: Path, name: str, words: str) -> None:
    path = tmp_path / "pseudonyms.toml"
    escaped = "".join(f"\\U{ord(character):08x}" for character in name)
    path.write_text(f'jo = "{escaped}"', encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_chosen(path, STUDENTS, kept={})
    assert words in str(caught.value)
    assert f"{path}: key 'jo'" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["student-07", "Student 07", "STUDENTO7", "the student-07", "anna lund", "Änna-Lund", "annalund", "ANNA LUND 2",
     "Jean Dupont", "jean.dup0nt", "jeandupont", "李雷"],
)  # fmt: skip
def test_nobody_takes_another_students_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"key 'jo'.*name of another student"):
        chosen(tmp_path, f"jo = {json.dumps(name)}")


def test_nobody_takes_it_in_another_script(tmp_path: Path) -> None:
    path = tmp_path / "pseudonyms.toml"
    path.write_text('jo = "сосо"', encoding="utf-8")  # Cyrillic as a whole
    with pytest.raises(ConfigurationError, match="name of another student"):
        read_chosen(path, ("coco",), kept={})


def test_ones_own_name_is_ones_own_choice(tmp_path: Path) -> None:
    assert chosen(tmp_path, '"Anna Lund" = "Anna Lund"') == {"Anna Lund": "Anna Lund"}


@pytest.mark.parametrize("name", ["Nova", "NOVA", "nóva", "n0va", "N o v a", "Νονα"])
def test_two_names_that_look_alike_are_one_too_many(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"key 'kim'.*looks like the pseudonym of 'jo'"):
        chosen(tmp_path, 'jo = "Nova"', f"kim = {json.dumps(name)}")


def test_a_drawn_name_is_its_owners_alone(tmp_path: Path) -> None:
    assert chosen(tmp_path, 'jo = "Vega 1234"', kept={"jo": "Vega 1234"}) == {"jo": "Vega 1234"}
    with pytest.raises(ConfigurationError, match="looks like the pseudonym of 'kim'"):
        chosen(tmp_path, 'jo = "Vega l234"', kept={"kim": "Vega 1234"})


@pytest.mark.parametrize(
    ("content", "words"),
    [("jo = ", "not valid TOML"), ("jo = 3", "is no text"), ("[jo]\nname = 'x'", "is no text"), ("\xff", "not valid")],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "pseudonyms.toml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigurationError) as caught:
        read_chosen(path, STUDENTS, kept={})
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"names\.toml is missing"):
        read_chosen(tmp_path / "names.toml", STUDENTS, kept={})


def test_drawn_names_are_fit_different_and_stay() -> None:
    students = [f"student-{i:04}" for i in range(2000)]
    names = drawn(students[:1000], kept={}, taken=())
    assert all(unfit(name) is None for name in names.values())
    assert len({skeleton(name) for name in names.values()}) == 1000
    more = drawn(students, kept=names, taken=("Nova",))
    assert {student: more[student] for student in names} == names
    assert len({skeleton(name) for name in more.values()}) == 2000


def test_drawn_names_cannot_be_computed_from_the_student() -> None:
    """Two courses draw anew: no function of the name, however secret its key, that could be guessed or leaked."""
    students = [f"student-{i:02}" for i in range(50)]
    first, second = (drawn(students, kept={}, taken=()) for _ in range(2))
    assert sum(first[student] == second[student] for student in students) < 5


def test_drawn_names_avoid_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter(["Vega 1001", "Vega 1002", "Vega 1003"])
    monkeypatch.setattr("harness.leaderboard.pseudonyms._draw", lambda: next(draws))
    assert drawn(["b", "a"], kept={"a": "Vega 1002"}, taken=("vega 1OO1",))["b"] == "Vega 1003"


def test_kept_names_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "pseudonyms.json"
    assert read_kept(path) == {}
    path.write_bytes(encode_kept({"zoë": "Vega 1234", "\udcff": "Mira 1000"}))
    assert read_kept(path) == {"zoë": "Vega 1234", "\udcff": "Mira 1000"}


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', ""])
def test_a_damaged_file_is_named_and_not_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "pseudonyms.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"pseudonyms\.json is damaged"):
        read_kept(path)


@given(st.text(max_size=50))
def test_whatever_is_let_through_is_one_plain_line(name: str) -> None:
    if unfit(name) is None:
        assert len(name.splitlines()) == 1
        assert not set(name) & set('<>&"`{}\\\0\x1b')
        assert skeleton(name)
