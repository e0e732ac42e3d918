"""What is printed: the same facts with and without a terminal, and never a student's text as markup."""

import io
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from harness.cohort import Progress
from harness.records import (
    Better,
    Candidate,
    CheckResult,
    Graded,
    Metric,
    Outcome,
    RunInfo,
    Seconds,
    Status,
    Text,
    Visibility,
)
from harness.terminal import Feedback, Terminal

SPACES = str.maketrans("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}", "  ")
NOW = datetime(2027, 1, 1, tzinfo=UTC)
RUN = RunInfo(
    id="00", course="llm", assignment="ngram", title=Text("Bigrammes", "Bigrams"), seed=7, seed_id="0a",
    started=datetime(2026, 11, 21, tzinfo=UTC), bareme_version="0", environment={}, device="cpu", jobs=1,
)  # fmt: skip


def graded(*checks: CheckResult, student: str = "student-01") -> Graded:
    candidate = Candidate(student, "a.ipynb", Path("a.ipynb"), None, "0" * 64, NOW, 1)
    return Graded(
        candidate, Status.MARKED, 1.0, 3.0, 0.0, 0.0, checks, {}, (), (), (), False, Seconds(0, 0, 0, 0), 0
    )  # fmt: skip


def metric(value: float = 2.4613, **changes) -> Metric:
    made = Metric(
        value, "bits/byte", 2.41, 2.52, None, None, 0.7, 1.0, "count", Text("Perplexité", "Perplexity"), Better.LOWER
    )
    return replace(made, **changes)


def check(outcome: Outcome, message: Text | None = None, counterexample: str | None = None) -> CheckResult:
    title = Text("Compter", "Count")
    return CheckResult("count", title, Visibility.PUBLIC, 0.0, 1.0, outcome, message, counterexample, 0.1)


def show(screen: Terminal, result: Graded) -> None:
    Feedback(screen, Text("Un devoir", "A task")).close(result)


def printed(language, act, *, terminal: bool = False) -> str:
    results, progress = io.StringIO(), io.StringIO()
    screen = Terminal(
        language,
        Console(file=results, highlight=False, soft_wrap=True, force_terminal=terminal),
        Console(file=progress, highlight=False, soft_wrap=True, force_terminal=terminal, width=80),
    )
    act(screen)
    return results.getvalue() + progress.getvalue()


def test_a_result_is_told_in_both_languages():
    result = graded(check(Outcome.FAILED, Text("faux", "wrong"), "count('a')"))
    assert printed("fr", lambda screen: show(screen, result)) == (
        "✗ Compter  0/1  réponse fausse\nfaux\ncount('a')\n1 / 3\n"
    )
    assert "wrong answer\nwrong\n" in printed("en", lambda screen: show(screen, result))


def test_an_input_that_the_message_names_is_not_said_twice():
    result = graded(check(Outcome.FAILED, Text("`count('a')` : faux", "`count('a')`: wrong"), "count('a')"))
    assert printed("en", lambda screen: show(screen, result)).count("count('a')") == 1


def test_a_students_text_is_no_markup():
    result = graded(check(Outcome.ERROR, Text("[red]x[/red]", "[red]x[/red]")))
    assert "[red]x[/red]" in printed("en", lambda screen: show(screen, result), terminal=True)


def test_a_measured_check_shows_value_interval_and_a_fraction_of_the_points_on_one_line():
    result = replace(graded(replace(check(Outcome.PASSED), points=0.7123)), score=0.7123, metrics={"count": metric()})
    assert printed("fr", lambda screen: show(screen, result)).translate(SPACES) == (
        "✓ Compter  0,71/1  2,46 bits/octet (2,41 – 2,52)\n0,71 / 3\n"
    )
    assert printed("en", lambda screen: show(screen, result)).translate(SPACES) == (
        "✓ Count  0.71/1  2.46 bits/byte (2.41 – 2.52)\n0.71 / 3\n"
    )


def test_what_was_measured_besides_and_why_a_person_must_look_follow_their_check():
    besides = metric(14.0, unit="", low=14.0, high=14.0, title=Text("Tokens", "[red]Tokens"))
    looked_at = metric(math.nan, low=math.nan, high=math.nan, quarantine=Text("trop beau", "too good"))
    metrics = {"count.tokens": besides, "count": looked_at, "other": metric(check="other")}
    result = replace(graded(check(Outcome.FAILED, Text("faux", "wrong"))), metrics=metrics)
    assert printed("en", lambda screen: show(screen, result)) == (
        "✗ Count  0/1  —\n  [red]Tokens  14\n  too good\nwrong\n1 / 3\n"
    )


def test_progress_tells_what_each_check_measured_first():
    result = replace(graded(), metrics={"count": metric(), "count.tokens": metric()})

    def act(screen):
        with screen.progress() as tell:
            tell(Progress(result, RUN, 1, 1))

    assert printed("en", act).translate(SPACES) == "1/1 student-01 marked 1/3  count 2.46 bits/byte (2.41 – 2.52)\n"


def test_progress_without_a_terminal_is_a_line_each():
    def act(screen):
        with screen.progress() as tell:
            tell(Progress(graded(student="[b]Max"), RUN, 1, 2))
            tell(Progress(graded(), RUN, 2, 2))

    assert printed("en", act) == "1/2 [b]Max marked 1/3\n2/2 student-01 marked 1/3\n"


def test_progress_on_a_terminal_counts():
    def act(screen):
        with screen.progress() as tell:
            tell(Progress(graded(), RUN, 5, 6))
            tell(Progress(graded(), RUN, 6, 6))

    assert "6/6" in printed("en", act, terminal=True)


def test_an_interruption_says_how_to_go_on():
    assert "--resume" in printed("fr", lambda screen: screen.interrupted(Path("out")))
