"""What people see on a terminal: progress, the result of a self-check, findings. Student text is never markup here.

On something that is not a terminal (a file, CI) the same facts come as plain lines.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text as Line

from harness import quantities
from harness.records import (
    CellRun,
    CheckResult,
    Graded,
    Language,
    Metric,
    Notice,
    Outcome,
    Status,
    StudentError,
    Submission,
    Text,
)

if TYPE_CHECKING:  # what is shown here is made elsewhere: a command pays for what it uses
    from harness.cohort import Progress as Marked
    from harness.course import Course
    from harness.doctor import Finding

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

    def tell(self, fr: str, en: str) -> None:
        """One line on standard output."""
        self.results.print(Line(Text(fr, en).in_language(self.language)))

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
    def progress(self) -> Iterator[Callable[["Marked"], None]]:
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

            def tell(news: "Marked") -> None:
                # advanced and not set: the rate is that of this run, whatever an earlier one had done
                if bar.tasks[0].total is None:
                    bar.reset(task, total=news.total, completed=news.done - 1)
                speed = bar.tasks[0].speed
                bar.update(task, advance=1, rate=f"{60 * speed:.0f}/min" if speed else "")

            yield tell

    def _plain(self, news: "Marked") -> None:
        graded = news.graded
        score = "—" if graded.score is None else self._points(graded.score, graded.max_score)
        line = f"{news.done}/{news.total} {graded.candidate.student} {graded.status.value} {score}"
        measured = [
            f"{name} {self._measured(metric)}" for name, metric in graded.metrics.items() if name == metric.check
        ]
        self.progress_console.print(Line("  ".join([line, *measured])))

    def notebook(self, submission: Submission, assignment: Text) -> None:
        """What is being checked; `assignment` is the title of what it answers."""
        count, name = len(submission.cells), submission.candidate.notebook
        fr = f"{name} : {assignment.fr}, {count} cellule{'s' if count > 1 else ''} de code"
        en = f"{name}: {assignment.en}, {count} code cell{'' if count == 1 else 's'}"
        self.results.print(Line(Text(fr, en).in_language(self.language), style="bold"))

    def notice(self, notice: Notice) -> None:
        """Something that the author should know."""
        where = "" if notice.cell is None else f" [{self._cell(notice.cell)}]"
        self.results.print(Line(f"• {notice.text.in_language(self.language)}{where}", style="yellow"))

    def raised(self, cell: int, error: StudentError) -> None:
        """A cell that did not run to its end."""
        colon = " : " if self.language == "fr" else ": "
        self.results.print(Line(f"• {self._cell(cell)}{colon}{error.name}: {error.message}", style="yellow"))

    def score(self, graded: Graded) -> None:
        """The last line: the points, or what broke on our side."""
        if graded.failure:
            self.results.print(Line(graded.failure, style="magenta"))
        if graded.score is not None:
            self.results.print(Line(self._points(graded.score, graded.max_score, " / "), style="bold"))

    def _cell(self, index: int) -> str:
        return f"{'cellule' if self.language == 'fr' else 'cell'} {index + 1}"

    def _points(self, points: float, maximum: float, of: str = "/") -> str:
        return of.join(quantities.grouped(number, 2, self.language, trimmed=True) for number in (points, maximum))

    def _measured(self, metric: Metric) -> str:
        """Value, unit and interval: "2.46 bits/byte (2.41 – 2.52)"."""
        ends = quantities.ends(metric, self.language)
        return quantities.reading(metric, self.language) + (f" ({ends[0]} – {ends[1]})" if ends else "")

    def check(self, result: CheckResult, metrics: Mapping[str, Metric]) -> None:
        """How one check ended, and what it measured."""
        sign, colour = MARK.get(result.outcome, WRONG)
        line = Line.assemble(
            (f"{sign} ", f"bold {colour}"),
            result.title.in_language(self.language),
            (f"  {self._points(result.points, result.max_points)}", "dim"),
        )
        if result.id in metrics:
            line.append(f"  {self._measured(metrics[result.id])}")
        short = result.outcome is Outcome.FAILED and result.id in metrics  # not wrong, or not only: the message says it
        if result.outcome is not Outcome.PASSED and not short:
            line.append(f"  {WORDS[result.outcome].in_language(self.language)}", style=colour)
        self.results.print(line)
        self._beside(result.id, metrics)
        if result.message is not None:
            self.results.print(Line(result.message.in_language(self.language)), style="default", new_line_start=True)
        told = result.message is not None and f"`{result.counterexample}`" in result.message.en
        if result.counterexample is not None and not told:
            self.results.print(Line(result.counterexample, style="cyan"))

    def _beside(self, check: str, metrics: Mapping[str, Metric]) -> None:
        """What the check measured besides, and why a person must look."""
        for name, metric in metrics.items():
            if name != check:
                self.results.print(Line(f"  {metric.title.in_language(self.language)}  {self._measured(metric)}"))
            if metric.quarantine is not None:
                self.results.print(Line(f"  {metric.quarantine.in_language(self.language)}", style="yellow"))

    def list(self, course: "Course") -> None:
        """The assignments of `course`, one a row."""
        table = Table(box=None, header_style="bold")
        for heading in ("slug", Text("titre", "title").in_language(self.language), "points"):
            table.add_column(heading)
        for slug, assignment in sorted(course.assignments.items()):
            table.add_row(slug, assignment.file.title.in_language(self.language), f"{assignment.file.points:g}")
        self.results.print(table)

    def findings(self, findings: tuple["Finding", ...]) -> None:
        """What `doctor` found, one a line, each problem with its remedy."""
        for finding in findings:
            sign, colour = ("✓", "green") if finding.fine else ("✗", "red") if finding.blocks else ("–", "yellow")
            self.results.print(Line.assemble((f"{sign} ", colour), (finding.name, "bold"), f": {finding.detail}"))
            if finding.remedy is not None:
                self.results.print(Line(f"  → {finding.remedy.in_language(self.language)}"))


@dataclass(frozen=True, slots=True)
class Feedback:
    """A self-check as it goes: each thing is printed once, as soon as it is known."""

    screen: Terminal
    assignment: Text  # its title
    _told: set[Hashable] = field(default_factory=set)

    def read(self, submission: Submission) -> None:
        """What is being checked, and what reading it has shown."""
        if self._first(submission.candidate):
            self.screen.notebook(submission, self.assignment)
        self._notices((*submission.violations, *submission.notices))

    def ran(self, run: CellRun) -> None:
        """A cell that was run: silent, unless it raised."""
        if run.error is not None and self._first(run.cell, run.error.name, run.error.message):
            self.screen.raised(run.cell, run.error)

    def checked(self, result: CheckResult, metrics: Mapping[str, Metric]) -> None:
        """A check that is over."""
        if self._first(replace(result, wall_s=0.0)):
            self.screen.check(result, metrics)

    def close(self, graded: Graded) -> None:
        """All that was not told before, or turned out otherwise since, and the score."""
        self._notices((*graded.policy, *graded.notices))
        for run in graded.cells:
            self.ran(run)
        for result in graded.checks:
            self.checked(result, {name: item for name, item in graded.metrics.items() if item.check == result.id})
        self.screen.score(graded)

    def _notices(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            if self._first(notice):
                self.screen.notice(notice)

    def _first(self, *thing: Hashable) -> bool:
        """Whether this has not been told yet."""
        new = thing not in self._told
        self._told.add(thing)
        return new
