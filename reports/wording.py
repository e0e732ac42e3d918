"""The words and numbers of a page in one language: locale files, plurals, numbers, dates, durations.

Not covered: the words of sentences that come with the records (`records.Text`): only their typography is set.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from harness import quantities
from harness.quantities import NO_BREAK
from harness.records import Fact, Language, Metric, Text
from harness.typography import with_apostrophes, with_french_spaces

LOCALE = Path(__file__).parent / "locale"
MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
SHORT_S = 10.0  # below, hundredths of a second are worth showing
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Wording:
    """Everything a template says, in `language`."""

    language: Language
    sentences: Mapping[str, str]  # "section.key" -> sentence with {placeholders}

    def say(self, key: str, **values: object) -> str:
        """The sentence called `key`, its placeholders filled."""
        return self.sentences[key].format(**values)

    def count(self, key: str, n: float, **values: object) -> str:
        """The sentence for `n` things; `key`.one and `key`.other hold it. French has the singular below two."""
        singular = n < 2 if self.language == "fr" else n == 1
        return self.say(f"{key}.{'one' if singular else 'other'}", n=self.number(n), **values)

    def text(self, text: Text) -> str:
        """A sentence of the records that holds neither code nor a student's words, such as a title."""
        words = self.set(text.in_language(self.language))
        return with_french_spaces(words) if self.language == "fr" else words

    def set(self, words: str) -> str:
        """`words` with the apostrophes of printed French; English is written with the right ones."""
        return with_apostrophes(words) if self.language == "fr" else words

    def number(self, value: float, decimals: int = 2) -> str:
        """`value` with at most `decimals` decimals; trailing zeros go."""
        return quantities.grouped(value, decimals, self.language, trimmed=True)

    def points(self, points: float, maximum: float) -> str:
        """Points out of a maximum: 14,5 / 20."""
        return f"{self.number(points)}{NO_BREAK}/{NO_BREAK}{self.number(maximum)}"

    def reading(self, metric: Metric) -> str:
        """A metric's value with the digits that its interval warrants, and its unit."""
        return quantities.reading(metric, self.language)

    def value(self, metric: Metric) -> str:
        """The same without the unit."""
        return quantities.value(metric, self.language)

    def ends(self, metric: Metric) -> tuple[str, str] | None:
        """Both ends of its interval, None where there is nothing uncertain to tell."""
        return quantities.ends(metric, self.language)

    def plain(self, value: float, unit: str, digits: int = quantities.PLAIN_DIGITS) -> str:
        """A number that comes without an interval."""
        return quantities.plain(value, unit, self.language, digits=digits)

    def fact(self, fact: Fact) -> str:
        """What was recorded beside a metric, with its unit."""
        if isinstance(fact.value, float | int):
            return self.plain(fact.value, fact.unit)
        words = self.text(fact.value) if isinstance(fact.value, Text) else fact.value
        return quantities.with_unit(words, fact.unit, self.language)

    def percent(self, share: float) -> str:
        """A share of 1 as whole per cent; only a true 0 or 1 is shown as 0 or 100."""
        whole = round(100 * share)
        if 0 < share < 1:
            whole = min(99, max(1, whole))
        return self.say("number.percent", n=whole)

    def date(self, moment: datetime) -> str:
        """`moment` in UTC, to the minute, in words."""
        utc = moment.astimezone(UTC)
        month = self.say(f"month.{utc.month}")
        day = self.say("number.first_day") if utc.day == 1 else str(utc.day)
        return self.say("number.date", day=day, month=month, year=utc.year, hour=utc.hour, minute=utc.minute)

    def duration(self, seconds: float) -> str:
        """A span of time with its two largest units: 0,35 s; 12 s; 3 min 05 s; 2 h 10 min; 1 day 4 h."""
        whole = round(seconds)
        if whole < MINUTE:
            return f"{self.number(seconds, 2 if seconds < SHORT_S else 0)}{NO_BREAK}s"
        if whole < HOUR:
            return f"{whole // MINUTE}{NO_BREAK}min{NO_BREAK}{whole % MINUTE:02}{NO_BREAK}s"
        hours = f"{whole % DAY // HOUR}{NO_BREAK}h"
        if whole < DAY:
            return f"{hours}{NO_BREAK}{whole % HOUR // MINUTE:02}{NO_BREAK}min"
        return f"{self.count('number.days', whole // DAY)} {hours}"

    def memory(self, amount_bytes: int) -> str:
        """A number of bytes in mebibytes."""
        return self.say("number.mebibytes", n=self.number(amount_bytes / MIB, 0))


@cache
def wording(language: Language) -> Wording:
    """The wording of `language`, from its locale file; French spaces are set by rule, not typed in the file."""
    tree = tomllib.loads((LOCALE / f"{language}.toml").read_text(encoding="utf-8"))
    sentences = dict(_flat(tree))
    if language == "fr":
        sentences = {key: with_french_spaces(sentence) for key, sentence in sentences.items()}
    return Wording(language, sentences)


def _flat(tree: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [(prefix + key, str(value))]
    return pairs
