"""What is printed: the same facts with and without a terminal, and never a student's text as markup."""

import io
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from harness.cohort import Progress
from harness.records import Candidate, CheckResult, Graded, Outcome, Seconds, Status, Text, Visibility
from harness.terminal import Terminal

NOW = datetime(2027, 1, 1, tzinfo=UTC)


def graded(*checks: CheckResult, student: str = "student-01") -> Graded:
    candidate = Candidate(student, "a.ipynb", Path("a.ipynb"), None, "0" * 64, NOW, 1)
    return Graded(
        candidate, Status.MARKED, 1.0, 3.0, 0.0, 0.0, checks, {}, (), (), (), False, Seconds(0, 0, 0, 0), 0
    )  # fmt: skip


def check(outcome: Outcome, message: Text | None = None, counterexample: str | None = None) -> CheckResult:
    title = Text("Compter", "Count")
    return CheckResult("count", title, Visibility.PUBLIC, 0.0, 1.0, outcome, message, counterexample, 0.1)


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
    assert printed("fr", lambda screen: screen.show(result)) == (
        "✗ Compter  0/1  réponse fausse\nfaux\ncount('a')\n1 / 3\n"
    )
    assert "wrong answer\nwrong\n" in printed("en", lambda screen: screen.show(result))


def test_an_input_that_the_message_names_is_not_said_twice():
    result = graded(check(Outcome.FAILED, Text("`count('a')` : faux", "`count('a')`: wrong"), "count('a')"))
    assert printed("en", lambda screen: screen.show(result)).count("count('a')") == 1


def test_a_students_text_is_no_markup():
    result = graded(check(Outcome.ERROR, Text("[red]x[/red]", "[red]x[/red]")))
    assert "[red]x[/red]" in printed("en", lambda screen: screen.show(result), terminal=True)


def test_progress_without_a_terminal_is_a_line_each():
    def act(screen):
        with screen.progress() as tell:
            tell(Progress(graded(student="[b]Max"), 1, 2))
            tell(Progress(graded(), 2, 2))

    assert printed("en", act) == "1/2 [b]Max marked 1/3\n2/2 student-01 marked 1/3\n"


def test_progress_on_a_terminal_counts():
    def act(screen):
        with screen.progress() as tell:
            tell(Progress(graded(), 5, 6))
            tell(Progress(graded(), 6, 6))

    assert "6/6" in printed("en", act, terminal=True)


def test_an_interruption_says_how_to_go_on():
    assert "--resume" in printed("fr", lambda screen: screen.interrupted(Path("out")))
