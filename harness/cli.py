"""The commands. The only file that knows every package; each command reads like its page in the README.

Not covered: how results look on a terminal (`terminal`), what `doctor` looks at (`doctor`).
"""

import os
import signal
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer

from harness import cohort, doctor, intake, pipeline, sandbox, terminal
from harness.course import Assignment, Course, load_course
from harness.errors import BaremeError, ExitCode, UnreadableSubmission, UsageError
from harness.gradebook import Gradebook, exports
from harness.records import Cohort, Graded, Language, Outcome, Override, RunInfo, Status, Text
from harness.runners.local import LocalRunner

INTERRUPTED = 130  # 128 + SIGINT, as shells report it

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

Out = Annotated[Path, typer.Option(help="Folder for the gradebook, the reports and the exports.")]
CourseFolder = Annotated[Path | None, typer.Option("--course", help="A course folder; the bundled course if left out.")]
Lang = Annotated[Language | None, typer.Option("--lang", help="Language of pages and messages.")]
Jobs = Annotated[int, typer.Option(min=1, help="Submissions marked side by side.")]
Device = Annotated[doctor.Asked, typer.Option(help="Where kernels put tensors.")]
SandboxName = Annotated[sandbox.Name, typer.Option("--sandbox", help="How student code is contained.")]
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@app.command()
def demo(out: Out = Path("bareme-demo"), jobs: Jobs = CPUS, lang: Lang = None) -> None:
    """Mark the bundled cohort, write the reports and say where they are."""
    from reports.render import write_demo_index  # here: a self-check needs no pages

    course = bundled_course()
    language = lang or course.file.language
    entries: list[tuple[Text, Path]] = []
    for assignment in course.assignments.values():
        folder = assignment.folder / "cohort"
        order = _order(course, assignment, folder, out / assignment.slug, jobs=jobs, device="cpu")
        marked = _mark(order, terminal.Terminal(language))
        entries.append((assignment.file.title, publish(marked, order.out, course, language)))
    typer.echo(str(write_demo_index(entries, out, language)))


@app.command()
def grade(
    assignment: Annotated[str, typer.Argument(help="The assignment's slug; `bareme assignments` lists them.")],
    submissions: Annotated[Path, typer.Argument(help="Folder or zip of what was handed in.")],
    out: Out,
    jobs: Jobs = CPUS,
    device: Device = "auto",
    seed: Annotated[int | None, typer.Option(help="Replay a run (secret; fresh if left out).")] = None,
    course: CourseFolder = None,
    sandbox_name: SandboxName = "bubblewrap",
    resume: Annotated[bool, typer.Option("--resume", help="Mark only what the last run left undone.")] = False,
    fail_under: Annotated[
        float | None, typer.Option(min=0, max=100, help="Exit 1 if a score is lower (percent).")
    ] = None,
    lang: Lang = None,
) -> None:
    """Mark a cohort: gradebook, a page for each student, results.json, grades.csv, junit.xml."""
    loaded = load(course)
    language = lang or loaded.file.language
    order = _order(
        loaded, loaded.assignment(assignment), submissions, out, jobs=jobs, seed=seed, device=device,
        sandbox=sandbox_name, resume=resume,
    )  # fmt: skip
    screen = terminal.Terminal(language)
    marked = _mark(order, screen)
    for graded in marked.results:
        if graded.status is Status.UNREADABLE:
            screen.unreadable(graded)
    typer.echo(str(publish(marked, out, loaded, language)))
    raise typer.Exit(verdict(marked, fail_under))


@app.command()
def check(
    notebook: Annotated[Path, typer.Argument(help="Your notebook (.ipynb or .py).")],
    assignment: Annotated[str | None, typer.Argument(help="Its assignment; guessed from the file if left out.")] = None,
    course: CourseFolder = None,
    device: Device = "auto",
    sandbox_name: SandboxName = "bubblewrap",
    lang: Lang = None,
) -> None:
    """Check your own notebook: the public checks only; exit 1 if any fails."""
    loaded = load(course)
    chosen = loaded.assignment(assignment or guess(notebook, loaded))
    screen = terminal.Terminal(lang or loaded.file.language)
    _contain(sandbox_name, screen)
    candidates = intake.select(intake.find(notebook, chosen.slug), "last")
    job = pipeline.Job(
        candidate=candidates[-1],
        course=loaded.folder,
        slug=chosen.slug,
        seed=cohort.fresh_seed(),
        sandbox=sandbox_name,
        device=doctor.device(device, chosen.file.device),
        audience="student",
    )
    graded = pipeline.grade(job)
    if graded.status is Status.UNREADABLE:
        raise UnreadableSubmission(str(notebook), graded.notices[0].text)
    screen.show(graded)
    raise typer.Exit(_check_code(graded))


@app.command()
def assignments(course: CourseFolder = None, lang: Lang = None) -> None:
    """List the assignments of a course."""
    loaded = load(course)
    terminal.Terminal(lang or loaded.file.language).list(loaded)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The --out folder of an earlier run.")],
    course: CourseFolder = None,
    lang: Lang = None,
) -> None:
    """Write the pages and exports of DIR again, from its gradebook."""
    loaded = load(course)
    with _gradebook(folder) as gradebook:
        marked = gradebook.cohort(_latest(gradebook, folder).id)
    typer.echo(str(publish(marked, folder, loaded, lang or loaded.file.language)))


@app.command()
def adjust(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The --out folder of a run.")],
    student: Annotated[str, typer.Argument(help="Whose mark.")],
    comment: Annotated[str, typer.Option(help="Why; the student reads it.")],
    author: Annotated[str, typer.Option(help="Who decides.")] = "instructor",
    check_id: Annotated[str | None, typer.Option("--check", help="One check; all of it if left out.")] = None,
    points: Annotated[float | None, typer.Option(help="The points to give; a comment only if left out.")] = None,
    course: CourseFolder = None,
    lang: Lang = None,
) -> None:
    """Set a mark by hand or comment on it; kept through every later run."""
    loaded = load(course)
    with _gradebook(folder) as gradebook:
        run = _latest(gradebook, folder)
        decision = Override(student, check_id, points, comment, author, datetime.now(UTC))
        gradebook.override(decision, assignment=run.assignment)
        marked = gradebook.cohort(run.id)
    typer.echo(str(publish(marked, folder, loaded, lang or loaded.file.language)))


@app.command("doctor")
def doctor_command(course: CourseFolder = None, lang: Lang = None) -> None:
    """Say what works on this machine and what does not, and how to mend it."""
    loaded = load(course)
    findings = doctor.examine(loaded)
    terminal.Terminal(lang or loaded.file.language).findings(findings)
    raise typer.Exit(ExitCode.INFRASTRUCTURE if any(finding.blocks for finding in findings) else ExitCode.DONE)


def bundled_course() -> Course:
    """The course that comes with bareme."""
    return load_course(Path(str(files("assignments"))))


def load(folder: Path | None) -> Course:
    """The course in `folder`, whose own modules can be imported from then on, or the bundled one."""
    return pipeline.load(folder.resolve()) if folder else bundled_course()


def guess(notebook: Path, course: Course) -> str:
    """The assignment that `notebook` belongs to: the one its name says, else the one whose entry points it defines.

    Raises:
        UsageError: neither tells.
    """
    named = [slug for slug in course.assignments if slug in notebook.name.lower()]
    if len(named) == 1:
        return named[0]
    text = notebook.read_text(encoding="utf-8", errors="replace") if notebook.is_file() else ""
    scores = {
        slug: sum(f"def {entry.name}(" in text for entry in assignment.file.entry_points)
        for slug, assignment in course.assignments.items()
    }
    best = max(scores, key=lambda slug: scores[slug], default="")
    if not scores.get(best) or list(scores.values()).count(scores[best]) > 1:
        known = ", ".join(sorted(course.assignments))
        raise UsageError(f"{notebook}: its assignment cannot be told", remedy=f"Add it after the notebook: {known}.")
    return best


def publish(marked: Cohort, out: Path, course: Course, language: Language) -> Path:
    """Write every page and export of `marked` into `out`; returns the index page."""
    from reports.render import write  # here: a self-check needs no pages

    now = datetime.now(UTC)
    due = course.assignment(marked.run.assignment).file.due
    after_due = due is None or now >= due
    exports.write(marked, out, after_due=after_due, language=language)
    return write(marked, out, language=language, now=now, after_due=after_due)


def verdict(marked: Cohort, fail_under: float | None) -> ExitCode:
    """The exit code of a finished run."""
    if any(graded.status is Status.INFRASTRUCTURE for graded in marked.results):
        return ExitCode.INFRASTRUCTURE
    percents = [100 * graded.score / graded.max_score for graded in marked.results if graded.score is not None]
    return ExitCode.BELOW if fail_under is not None and min(percents, default=0.0) < fail_under else ExitCode.DONE


def _order(
    course: Course,
    assignment: Assignment,
    submissions: Path,
    out: Path,
    *,
    jobs: int,
    device: doctor.Asked,
    **rest: Any,
) -> cohort.Order:
    chosen = doctor.device(device, assignment.file.device)
    return cohort.Order(
        course=course,
        assignment=assignment,
        submissions=submissions.resolve(),
        out=out.resolve(),
        device=chosen,
        device_name=doctor.device_name(chosen),
        jobs=jobs,
        **rest,
    )


def _mark(order: cohort.Order, screen: terminal.Terminal) -> Cohort:
    _contain(order.sandbox, screen)
    try:
        with screen.progress() as tell:
            return cohort.mark(order, LocalRunner(order.jobs), tell)
    except KeyboardInterrupt:
        screen.interrupted(order.out)
        raise typer.Exit(INTERRUPTED) from None


def _contain(name: sandbox.Name, screen: terminal.Terminal) -> None:
    """Fail early where the sandbox cannot work; say what an uncontained run does not cover."""
    chosen = sandbox.choose(name)
    if warning := sandbox.warning(chosen):
        screen.warn(warning)


def _check_code(graded: Graded) -> ExitCode:
    if graded.status is Status.INFRASTRUCTURE:
        return ExitCode.INFRASTRUCTURE
    passed = graded.checks and all(result.outcome is Outcome.PASSED for result in graded.checks)
    return ExitCode.DONE if passed else ExitCode.BELOW


def _gradebook(folder: Path) -> Gradebook:
    path = folder / cohort.GRADEBOOK
    if not path.is_file():
        raise UsageError(f"{path} is missing", remedy="Name the --out folder of a `bareme grade` run.")
    return Gradebook.open(path)


def _latest(gradebook: Gradebook, folder: Path) -> RunInfo:
    run = gradebook.latest()
    if run is None:
        raise UsageError(f"{folder / cohort.GRADEBOOK} holds no run", remedy="Mark a cohort first: bareme grade.")
    return run


def main() -> None:
    """Run the command line; our own errors become one line and their exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(standalone_mode=True)
    except BaremeError as error:
        typer.secho(f"bareme: {error}", err=True, fg="red")
        sys.exit(error.exit_code)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
