"""An audit on a terminal: what was measured in a few tables, survivors as diffs, and what is below what is asked.

Not covered: the page (`reports.audit`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text as Line

from harness import quantities
from harness.audit.examine import Tell
from harness.audit.findings import Fate, Findings, Kind
from harness.records import Language, Text

COLOURS = {"+": "green", "-": "red", "@": "cyan"}  # first character of a line of a diff
HEADER_LINES = 2  # of a unified diff: they name the cell, which the id does already


@contextmanager
def progress(console: Console, language: Language) -> Iterator[Tell]:
    """A bar for each thing that is marked, on a terminal; a line at its end elsewhere."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    if not console.is_terminal:
        yield lambda title, done, total: _plain(console, title.in_language(language), done, total)
        return
    with Progress(*columns, console=console) as bar:
        tasks = {}

        def tell(title: Text, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = bar.add_task(title.in_language(language), total=total)
            bar.update(tasks[title], completed=done)

        yield tell


def show(findings: Findings, console: Console, language: Language) -> None:
    """Print `findings`."""
    for verdict in findings.of_fate(Fate.SURVIVED):
        console.print(Line(verdict.mutant.id, style="bold yellow"))
        for line in verdict.mutant.diff.splitlines()[HEADER_LINES:]:
            console.print(Line(f"  {line}", style=COLOURS.get(line[:1], "")))
    for table in (_operators(findings, language), _checks(findings, language), _summary(findings, language)):
        console.print(table)
    for failure in findings.infrastructure:
        console.print(Line(failure, style="magenta"))
    for shortcoming in findings.shortcomings:
        console.print(Line.assemble(("✗ ", "red"), shortcoming.in_language(language)))


def _plain(console: Console, title: str, done: int, total: int) -> None:
    if done == total:
        console.print(Line(f"{title} {done}/{total}"))


def _table(language: Language, *headings: Text) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading.in_language(language), justify="right" if place else "left")
    return table


def _operators(findings: Findings, language: Language) -> Table:
    table = _table(
        language,
        Text("Mutants", "Mutants"),
        Text("nombre", "number"),
        Text("trouvés", "found"),
        Text("survivants", "survivors"),
        Text("équivalents", "equivalent"),
    )
    for name, tally in findings.by_operator().items():
        cells = (tally.mutants, tally.killed, tally.survived, tally.equivalent)
        table.add_row(findings.operators[name].in_language(language), *(str(cell) if cell else "·" for cell in cells))
    return table


def _checks(findings: Findings, language: Language) -> Table:
    headings = [Text("Vérification", "Check"), Text("trouve en premier", "finds first")]
    if findings.thorough:
        headings += [Text("trouve", "finds"), Text("est seule à trouver", "finds alone")]
    table = _table(language, *headings)
    for tally in findings.by_check():
        cells = [tally.first] if tally.alone is None else [tally.first, tally.killed, tally.alone]
        style = "yellow" if tally.idle else None
        table.add_row(tally.spec.id, *(str(cell) for cell in cells), style=style)
    return table


def _summary(findings: Findings, language: Language) -> Table:
    table = _table(language, Text("Audit", "Audit"), Text("mesuré", "measured"), Text("demandé", "asked for"))
    asked = findings.asked
    share = quantities.grouped(100 * findings.share, 1, language)
    least = quantities.grouped(100 * asked.killed, 1, language, trimmed=True)
    table.add_row(Text("Mutants", "Mutants").in_language(language), str(findings.made), f"≥ {asked.mutants}")
    table.add_row(Text("trouvés, en %", "found, %").in_language(language), share, f"≥ {least}")
    for kind, title in (
        (Kind.VARIANT, Text("Variantes à 100 %", "Variants at 100%")),
        (Kind.NULL, Text("Copies sans travail", "Nulls")),
        (Kind.SEED, Text("Graines à 100 %", "Seeds at 100%")),
    ):
        trials = findings.of_kind(kind)
        table.add_row(title.in_language(language), str(sum(trial.fine for trial in trials)), str(len(trials)))
    most = quantities.grouped(100 * asked.budget, 0, language)
    for spent in findings.budget:
        title = Text(f"{spent.limit} : part que prend la solution, en %", f"{spent.limit}: used by the solution, %")
        used = quantities.grouped(100 * spent.share, 0, language)
        table.add_row(title.in_language(language), used, f"≤ {most}")
    return table
