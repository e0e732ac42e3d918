"""Names on boards: those that students chose, else one drawn at random and kept.

A chosen name is refused when it could be taken for somebody else's, or for nobody's: the file and the key are named.
Drawn names say nothing of the student (no hash that could be guessed back); the file that keeps them stays with the
gradebook. Not covered: that two names of different scripts look alike beyond Latin, Greek and Cyrillic letters.
"""

import json
import re
import secrets
import tomllib
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from harness.errors import ConfigurationError

LONGEST = 40  # characters: one line of a table on a phone
MARKS_IN_A_ROW = 2  # accents and vowel signs on one letter; more are drawn over the lines around
DIGITS = 4  # of a drawn name: 60,000 names, so that a course does not run out
STARS = (
    "Achernar", "Aldebaran", "Algol", "Alioth", "Altair", "Antares", "Arcturus", "Bellatrix", "Canopus", "Capella",
    "Deneb", "Fomalhaut", "Hadar", "Mimosa", "Mira", "Mirach", "Mizar", "Polaris", "Procyon", "Regulus", "Rigel",
    "Sirius", "Spica", "Vega",
)  # fmt: skip
# what a line of a figure is called, or who runs the course
RESERVED = ("baseline", "oracle", "référence", "reference", "solution", "bareme", "instructor", "enseignant")

PUNCTUATION = frozenset(" -_.'’")
SCRIPTS = {  # first word of a character's Unicode name -> the script that it belongs to
    "LATIN": "Latin", "GREEK": "Greek", "CYRILLIC": "Cyrillic", "ARABIC": "Arabic", "HEBREW": "Hebrew",
    "DEVANAGARI": "Devanagari", "HANGUL": "Hangul", "CJK": "Han", "HIRAGANA": "Han", "KATAKANA": "Han",
}  # fmt: skip
# letters that are drawn like Latin ones, capitals by their capitals
LOOKALIKES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХЁЇаеѕіјорсухһԁԛԝёїкмтвн" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυχ",
    "ABESIJKMHOPCTYXEIaesijopcyxhdqweikmtbh" + "ABEZHIKMNOPTYXaikvoptux",
)
LATIN_LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "p", "ı": "l", "œ": "oe", "æ": "ae", "ß": "ss"}
ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", **LATIN_LETTERS})


def read_chosen(path: Path, students: Collection[str], *, kept: Mapping[str, str]) -> dict[str, str]:
    """The pseudonyms that students chose: `student = "pseudonym"` a line.

    Args:
        path: a TOML file.
        students: everyone known, whose names nobody else may take.
        kept: names that were drawn earlier.

    Raises:
        ConfigurationError: the file is missing or no such table, or a name is unfit, taken or another student's.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing", remedy="Name a file of pseudonyms, or leave it out.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}", remedy="Correct that line.") from error
    chosen: dict[str, str] = {}
    for student, name in values.items():
        problem = unfit(name) if isinstance(name, str) else "is no text"
        problem = (
            problem or _impersonates(name, student, {*students, *values}) or _taken(name, student, {**kept, **chosen})
        )
        if problem:
            raise ConfigurationError(f"{path}: key {student!r}: {name!r} {problem}", remedy="Ask for another name.")
        chosen[student] = unicodedata.normalize("NFC", name)
    return chosen


def read_kept(path: Path) -> dict[str, str]:
    """The names that `drawn` gave earlier; none where `path` is missing.

    Raises:
        ConfigurationError: the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        kept = json.loads(path.read_bytes())
    except ValueError:  # no JSON, or no UTF-8
        kept = None
    if not isinstance(kept, dict) or not all(isinstance(name, str) for name in kept.values()):
        raise ConfigurationError(
            f"{path} is damaged", remedy="Restore it from a copy, or remove it: names are then drawn anew."
        )
    return kept


def encode_kept(kept: Mapping[str, str]) -> bytes:
    """The bytes of the file that `read_kept` reads."""
    return (json.dumps(dict(sorted(kept.items())), indent=2) + "\n").encode()


def drawn(students: Iterable[str], *, kept: Mapping[str, str], taken: Iterable[str]) -> dict[str, str]:
    """`kept`, and a new random name for each of `students` that has none, unlike all others and those `taken`."""
    names = dict(kept)
    used = {skeleton(name) for name in (*names.values(), *taken)}
    for student in sorted(set(students) - set(names)):
        name = _draw()
        while skeleton(name) in used:
            name = _draw()
        used.add(skeleton(name))
        names[student] = name
    return names


def skeleton(name: str) -> str:
    """What `name` looks like at a glance: names with the same skeleton are not to be told apart.

    Case, accents, width and spacing go, lookalike letters and digits become one.

    >>> skeleton("Vega 10") == skeleton("vеgа-lO")           # е and а are Cyrillic
    True
    """
    return "".join(_words(name)).replace("rn", "m").replace("vv", "w")


def unfit(name: str) -> str | None:
    """Why nobody may be called `name`; None where it is fine."""
    composed = unicodedata.normalize("NFC", name)
    if not 1 <= len(composed) <= LONGEST:
        return f"has {len(composed)} characters, not 1 to {LONGEST}"
    if composed != " ".join(composed.split()):
        return "begins, ends or is spaced out with blanks"
    strange = next((character for character in composed if not _is_plain(character)), None)
    if strange is not None:
        return f"holds {strange!a}: letters, digits, blanks and - _ . ' are fine"
    if "m" * (MARKS_IN_A_ROW + 1) in "".join("m" if _is_mark(character) else "-" for character in composed):
        return "piles up accents"
    scripts = sorted({SCRIPTS[_script(character)] for character in composed if character.isalpha()})
    if len(scripts) > 1:
        return f"mixes scripts ({', '.join(scripts)}), so that it could be taken for another"
    if not any(character.isalnum() for character in composed):
        return "holds no letter and no digit"
    if skeleton(composed) in {skeleton(word) for word in RESERVED}:
        return "is what a line of the figures is called, or who runs the course"
    return None


def _impersonates(name: str, student: str, students: Collection[str]) -> str | None:
    """Whether the words of another student's name stand in `name`."""
    words = _words(name)
    for other in students:
        theirs = _words(other)
        if other == student or not theirs or skeleton(other) == skeleton(student):
            continue
        stands = any(words[i : i + len(theirs)] == theirs for i in range(len(words)))
        if stands or skeleton(other) == skeleton(name):
            return "is the name of another student"
    return None


def _taken(name: str, student: str, names: Mapping[str, str]) -> str | None:
    others = ((other, theirs) for other, theirs in names.items() if other != student)
    alike = next((other for other, theirs in others if skeleton(theirs) == skeleton(name)), None)
    return None if alike is None else f"looks like the pseudonym of {alike!r}"


def _words(name: str) -> list[str]:
    """The words of `name` without what tells lookalikes apart."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).translate(LOOKALIKES)).casefold()
    bare = "".join(character for character in plain if not _is_mark(character)).translate(ALIKE)
    return re.findall(r"[^\W_]+", bare)


def _is_plain(character: str) -> bool:
    if character in PUNCTUATION or character in "0123456789" or _is_mark(character):
        return True
    if not character.isalpha() or _script(character) not in SCRIPTS:
        return False
    return _script(character) != "LATIN" or _is_usual_latin(character)


def _is_usual_latin(character: str) -> bool:
    """An ASCII letter with or without accents, or one that languages of Europe add."""
    base = unicodedata.normalize("NFD", character.lower())[0]
    return base.isascii() or base in LATIN_LETTERS


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Mc"}


def _script(character: str) -> str:
    return unicodedata.name(character, "?").split()[0]


def _draw() -> str:
    return f"{secrets.choice(STARS)} {10 ** (DIGITS - 1) + secrets.randbelow(9 * 10 ** (DIGITS - 1))}"
