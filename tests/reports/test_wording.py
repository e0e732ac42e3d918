"""Both languages say the same things, each in its own typography."""

import math
import re
import string
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

import reports
from harness.records import Fact, Language, Outcome, Status, Text, Visibility
from reports.wording import wording

FR, EN = wording("fr"), wording("en")
TEMPLATES = Path(reports.__file__).parent / "templates"
PLAIN_SPACE_BEFORE = re.compile(r"(?:^|[ \w)}]) [:;!?»%]|« ")
PARIS_WINTER = timezone(timedelta(hours=1))


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None}


def test_both_languages_have_the_same_keys() -> None:
    assert set(FR.sentences) == set(EN.sentences)


@pytest.mark.parametrize("key", sorted(FR.sentences))
def test_both_sentences_have_the_same_placeholders(key: str) -> None:
    assert placeholders(FR.sentences[key]) == placeholders(EN.sentences[key])


def test_every_key_is_used_and_every_used_key_exists() -> None:
    sources = "\n".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    sources += (TEMPLATES.parent / "wording.py").read_text()
    keys = {re.sub(r"\.(one|other)$", "", key) for key in FR.sentences}
    made_of_parts = ("outcome.", "status.", "status_explain.", "visibility.", "month.", "audit.budget_of.")

    assert {key for key in keys if f'"{key}"' not in sources and f"'{key}'" not in sources} == {
        key for key in keys if key.startswith(made_of_parts) and key != "status.marked"
    }
    assert set(re.findall(r"w\.(?:say|count)\([\"']([a-z_.]+)[\"'][,)]", sources)) <= keys


@pytest.mark.parametrize("words", [FR, EN], ids=["fr", "en"])
def test_every_outcome_status_and_visibility_has_words(words) -> None:
    for outcome in Outcome:
        for part in ("name", "explain", "advice"):
            assert words.say(f"outcome.{outcome.value}.{part}")
    for status in Status:
        assert words.say(f"status.{status.value}")
    for visibility in Visibility:
        assert words.say(f"visibility.{visibility.value}")


@pytest.mark.parametrize("key", sorted(FR.sentences))
def test_typography_is_each_languages_own(key: str) -> None:
    assert not PLAIN_SPACE_BEFORE.search(FR.sentences[key])
    assert "'" not in FR.sentences[key] + EN.sentences[key]
    assert '"' not in FR.sentences[key] + EN.sentences[key]


@pytest.mark.parametrize(
    ("value", "fr", "en"),
    [
        (14.5, "14,5", "14.5"),
        (20.0, "20", "20"),
        (0.1 + 0.2, "0,3", "0.3"),
        (1234567.891, "1\u202f234\u202f567,89", "1,234,567.89"),
        (-2.5, "−2,5", "−2.5"),
        (-0.0001, "0", "0"),
        (100, "100", "100"),
        (math.inf, "∞", "∞"),
        (-math.inf, "−∞", "−∞"),
        (math.nan, "—", "—"),
    ],
)
def test_numbers(value: float, fr: str, en: str) -> None:
    assert (FR.number(value), EN.number(value)) == (fr, en)


def test_points() -> None:
    assert FR.points(14.5, 20) == "14,5\u00a0/\u00a020"


def test_only_all_is_100_percent_and_only_none_is_0() -> None:
    assert [EN.percent(share) for share in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "1%", "50%", "99%", "100%"]
    assert FR.percent(0.5) == "50\u202f%"


def test_dates_are_in_utc_and_say_so() -> None:
    moment = datetime(2026, 11, 21, 15, 5, tzinfo=PARIS_WINTER)

    assert FR.date(moment) == "21\u00a0novembre\u00a02026 à 14\u00a0h\u00a005 (UTC)"
    assert EN.date(moment) == "21\u00a0November\u00a02026, 14:05 (UTC)"
    assert FR.date(datetime(2026, 2, 1, tzinfo=UTC)) == "1er\u00a0février\u00a02026 à 0\u00a0h\u00a000 (UTC)"


@pytest.mark.parametrize(
    ("seconds", "fr", "en"),
    [
        (0.346, "0,35 s", "0.35 s"),
        (12.4, "12 s", "12 s"),
        (59.7, "1 min 00 s", "1 min 00 s"),
        (185, "3 min 05 s", "3 min 05 s"),
        (7800, "2 h 10 min", "2 h 10 min"),
        (93_600, "1 jour 2 h", "1 day 2 h"),
        (172_800, "2 jours 0 h", "2 days 0 h"),
    ],
)
def test_durations(seconds: float, fr: str, en: str) -> None:
    assert (FR.duration(seconds).replace("\u00a0", " "), EN.duration(seconds).replace("\u00a0", " ")) == (fr, en)


@pytest.mark.parametrize(
    ("n", "fr", "en"),
    [
        (0, "0 point", "0 points"),
        (1, "1 point", "1 point"),
        (2, "2 points", "2 points"),
        (1.5, "1,5 point", "1.5 points"),
    ],
)
def test_plurals(n: float, fr: str, en: str) -> None:
    assert (FR.count("number.points", n), EN.count("number.points", n)) == (fr, en)


def test_a_value_with_braces_is_not_read_as_a_placeholder() -> None:
    language: Language = "en"

    assert wording(language).say("index.title", title="{n} {}") == "{n} {} — results"


@pytest.mark.parametrize(
    ("value", "unit", "fr", "en"),
    [
        (12345.5, "B", "12,06\u00a0Kio", "12.06\u00a0KiB"),
        (3, "tokens", "3\u00a0jetons", "3\u00a0tokens"),
        ("12", "ms", "12\u00a0ms", "12\u00a0ms"),
        (Text("l'horloge", "the clock"), "", "l’horloge", "the clock"),
        (Text("0,5 ; 1,2", "0.5, 1.2"), "bits/byte", "0,5\u202f; 1,2\u00a0bits/octet", "0.5, 1.2\u00a0bits/byte"),
    ],
)
def test_a_fact_is_told_in_the_reader_s_language(value: float | str | Text, unit: str, fr: str, en: str) -> None:
    fact = Fact(Text("Fait", "Fact"), value, unit)
    assert (FR.fact(fact), EN.fact(fact)) == (fr, en)
