"""What people see on a terminal: progress, the result of a self-check, findings. Student text is never markup here.

On something that is not a terminal (a file, CI) the same facts come as plain lines.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text as Line

from harness import cohort
from harness.course import Course
from harness.doctor import Finding
from harness.records import CheckResult, Graded, Language, Outcome, Status, Text

MARK = {Outcome.PASSED: ("✓", "green"), Outcome.SKIPPED: ("–", "yellow"), Outcome.INFRASTRUCTURE: ("!", "magenta")}
WRONG = ("✗", "red")
WORDS: dict[Outcome | Status, Text] = {
    Outcome.PASSED: Text(fr="réussi", en="passed"),
    Outcome.FAILED: Text(fr="réponse fausse", en="wrong answer"),
    Outcome.ERROR: Text(fr="erreur dans le code", en="error in the code"),
    Outcome.TIMEOUT: Text(fr="temps dépassé", en="out of time"),
    Outcome.MEMORY: Text(fr="mémoire dépassée", en="out of memory"),
    Outcome.CRASHED: Text(fr="le noyau s'est arrêté", en="the kernel died"),
    Outcome.POLICY: Text(fr="règle enfreinte", en="rule broken"),
    Outcome.MISSING: Text(fr="fonction absente", en="function missing"),
    Outcome.SKIPPED: Text(fr="non vérifié", en="skipped"),
    Outcome.INFRASTRUCTURE: Text(fr="panne de notre côté", en="failure on our side"),
    Status.UNREADABLE: Text(fr="notebook illisible", en="unreadable notebook"),
}


@dataclass(frozen=True, slots=True)
class Terminal:
    """Standard output for results, standard error for progress; colours where a terminal shows them."""

    language: Language
    results: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    progress_console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False, soft_wrap=True))

    def say(self, fr: str, en: str, style: str = "") -> None:
        """One line on standard error."""
        self.progress_console.print(Line(Text(fr, en).in_language(self.language), style=style))

    def warn(self, warning: Text) -> None:
        """One line that must not be missed."""
        self.say(warning.fr, warning.en, style="bold yellow")

    def unreadable(self, graded: Graded) -> None:
        """A file that is no notebook: which one, why, and what its author can do."""
        name, reason = graded.candidate.notebook, graded.notices[0].text
        self.say(
            f"{name} : {reason.fr} À rendre de nouveau, enregistré depuis Jupyter.",
            f"{name}: {reason.en} To be saved in Jupyter and handed in again.",
            style="yellow",
        )

    def interrupted(self, out: Path) -> None:
        """After Ctrl-C: what is kept and how to go on."""
        self.say(
            f"Interrompu. Tout ce qui est terminé est dans {out} ; la même commande avec --resume fait le reste.",
            f"Interrupted. All that is finished is in {out}; the same command with --resume does the rest.",
        )

    @contextmanager
    def progress(self) -> Iterator[Callable[[cohort.Progress], None]]:
        """Count, rate and time left on a terminal; one plain line a submission elsewhere."""
        if not self.progress_console.is_terminal:
            yield self._plain
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.progress_console) as bar:
            task = bar.add_task("", total=None, rate="")

            def tell(news: cohort.Progress) -> None:
                # advanced and not set: the rate is that of this run, whatever an earlier one had done
                if bar.tasks[0].total is None:
                    bar.reset(task, total=news.total, completed=news.done - 1)
                speed = bar.tasks[0].speed
                bar.update(task, advance=1, rate=f"{60 * speed:.0f}/min" if speed else "")

            yield tell

    def _plain(self, news: cohort.Progress) -> None:
        graded = news.graded
        score = "—" if graded.score is None else f"{graded.score:g}/{graded.max_score:g}"
        line = f"{news.done}/{news.total} {graded.candidate.student} {graded.status.value} {score}"
        self.progress_console.print(Line(line))

    def show(self, graded: Graded) -> None:
        """One submission in full, for its author."""
        for notice in (*graded.policy, *graded.notices):
            where = "" if notice.cell is None else f" [{self._cell(notice.cell)}]"
            self.results.print(Line(f"• {notice.text.in_language(self.language)}{where}", style="yellow"))
        for run in graded.cells:
            if run.error is not None:
                self.results.print(
                    Line(f"• {self._cell(run.cell)} : {run.error.name}: {run.error.message}", style="yellow")
                )
        for result in graded.checks:
            self._check(result)
        if graded.failure:
            self.results.print(Line(graded.failure, style="magenta"))
        if graded.score is not None:
            self.results.print(Line(f"{graded.score:g} / {graded.max_score:g}", style="bold"))

    def _cell(self, index: int) -> str:
        return f"{'cellule' if self.language == 'fr' else 'cell'} {index + 1}"

    def _check(self, result: CheckResult) -> None:
        sign, colour = MARK.get(result.outcome, WRONG)
        line = Line.assemble(
            (f"{sign} ", f"bold {colour}"),
            result.title.in_language(self.language),
            (f"  {result.points:g}/{result.max_points:g}", "dim"),
        )
        if result.outcome is not Outcome.PASSED:
            line.append(f"  {WORDS[result.outcome].in_language(self.language)}", style=colour)
        self.results.print(line)
        if result.message is not None:
            self.results.print(Line(result.message.in_language(self.language)), style="default", new_line_start=True)
        told = result.message is not None and f"`{result.counterexample}`" in result.message.en
        if result.counterexample is not None and not told:
            self.results.print(Line(result.counterexample, style="cyan"))

    def list(self, course: Course) -> None:
        """The assignments of `course`, one a row."""
        table = Table(box=None, header_style="bold")
        for heading in ("slug", Text("titre", "title").in_language(self.language), "points"):
            table.add_column(heading)
        for slug, assignment in sorted(course.assignments.items()):
            table.add_row(slug, assignment.file.title.in_language(self.language), f"{assignment.file.points:g}")
        self.results.print(table)

    def findings(self, findings: tuple[Finding, ...]) -> None:
        """What `doctor` found, one a line, each problem with its remedy."""
        for finding in findings:
            sign, colour = ("✓", "green") if finding.fine else ("✗", "red") if finding.blocks else ("–", "yellow")
            self.results.print(Line.assemble((f"{sign} ", colour), (finding.name, "bold"), f": {finding.detail}"))
            if finding.remedy is not None:
                self.results.print(Line(f"  → {finding.remedy.in_language(self.language)}"))
