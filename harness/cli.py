"""The commands. The only file that knows every package; each command reads like its page in the README.

Every function imports the packages that it uses itself: whoever asks for help, or for a check that the host answers,
does not wait for all of them. At the top stands only what is needed to read a command line.
Not covered: how results look on a terminal (`terminal`), what `doctor` looks at (`doctor`), self-checks (`host`).
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.errors import BaremeError, ExitCode, UsageError
from harness.records import AskedDevice, Cohort, Language, Override, RunInfo, SandboxName, Status, Text
from harness.records import Kernels as KernelsName

if TYPE_CHECKING:
    from harness.cohort import Progress
    from harness.course import Assignment, Course
    from harness.gradebook import Gradebook
    from harness.orders import Order
    from harness.runners.local import LocalRunner
    from harness.runners.preload import StandIn
    from harness.standings import Order as BoardOrder
    from harness.terminal import Terminal
    from reports.drafts import Drafts

INTERRUPTED = 130  # 128 + SIGINT, as shells report it
COLLECT_AFTER = 50_000  # objects more than before; with 700, imports alone make Python look two hundred times
DEMO_SEED = 0  # nothing there is secret, and everybody is to see the same pages

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

Out = Annotated[Path, typer.Option(help="Folder for the gradebook, the reports and the exports.")]
CourseFolder = Annotated[Path | None, typer.Option("--course", help="A course folder; the bundled course if left out.")]
Lang = Annotated[Language | None, typer.Option("--lang", help="Language of pages and messages.")]
Jobs = Annotated[int, typer.Option(min=1, help="Submissions marked side by side.")]
Device = Annotated[AskedDevice, typer.Option(help="Where kernels put tensors.")]
Sandbox = Annotated[SandboxName, typer.Option("--sandbox", help="How student code is contained.")]
Kernels = Annotated[
    KernelsName, typer.Option(help="Forked from a warm process, started cold one by one, or warm where that works.")
]
UseHost = Annotated[
    bool, typer.Option("--host/--no-host", help="Keep a process ready in the background for the next time.")
]
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@app.command()
def demo(out: Out = Path("bareme-demo"), jobs: Jobs = CPUS, kernels: Kernels = "auto", lang: Lang = None) -> None:
    """Mark the bundled cohort, write the reports and say where they are."""
    from harness import terminal
    from reports.render import write_demo_index

    course = bundled_course()
    runner = _workers(jobs, course.folder, *course.assignments)
    language = lang or course.file.language
    entries: list[tuple[Text, Path]] = []
    for assignment in course.assignments.values():
        folder = assignment.folder / "cohort"
        order = _order(
            course, assignment, folder, out / assignment.slug, jobs=jobs, device="cpu", kernels=kernels, seed=DEMO_SEED
        )
        drafts = _drafts(assignment, language)
        marked = _mark(order, runner, terminal.Terminal(language), drafts)
        entries.append((assignment.file.title, publish(marked, order.out, course, language, drafts)))
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
    sandbox_name: Sandbox = "bubblewrap",
    kernels: Kernels = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Mark only what the last run left undone.")] = False,
    fail_under: Annotated[
        float | None, typer.Option(min=0, max=100, help="Exit 1 if a score is lower (percent).")
    ] = None,
    host: UseHost = True,
    lang: Lang = None,
) -> None:
    """Mark a cohort: gradebook, a page for each student, results.json, grades.csv, junit.xml."""
    from harness.host import ask, stand_in

    use_host = host and ask.wanted("BAREME_HOST", default=True)
    runner = _workers(jobs, _folder(course), assignment, stand_in=stand_in.ask if use_host else None)
    from harness import terminal

    loaded = load(course)
    language = lang or loaded.file.language
    order = _order(
        loaded, loaded.assignment(assignment), submissions, out, jobs=jobs, seed=seed, device=device,
        sandbox=sandbox_name, kernels=kernels, resume=resume,
    )  # fmt: skip
    screen, drafts = terminal.Terminal(language), _drafts(order.assignment, language)
    with _borrowed(order, runner, screen.warn) if use_host else nullcontext() as lent:
        marked = _mark(order, runner, screen, drafts, lent=lent)
        for graded in marked.results:
            if graded.status is Status.UNREADABLE:
                screen.unreadable(graded)
        typer.echo(str(publish(marked, out, loaded, language, drafts)))
    raise typer.Exit(verdict(marked, fail_under))


@app.command()
def check(
    notebook: Annotated[Path, typer.Argument(help="Your notebook (.ipynb or .py).")],
    assignment: Annotated[str | None, typer.Argument(help="Its assignment; guessed from the file if left out.")] = None,
    course: CourseFolder = None,
    device: Device = "auto",
    sandbox_name: Sandbox = "bubblewrap",
    kernels: Kernels = "auto",
    host: UseHost = True,
    lang: Lang = None,
) -> None:
    """Check your own notebook: the public checks only; exit 1 if any fails."""
    from harness.host import client
    from harness.host.order import Order as CheckOrder

    order = CheckOrder(
        notebook=str(notebook),
        assignment=assignment,
        course=str(_folder(course)),
        device=device,
        sandbox=sandbox_name,
        kernels=kernels,
        language=lang,
    )
    raise typer.Exit(client.check(order, use_host=host))


@app.command()
def host(
    stop: Annotated[bool, typer.Option("--stop", help="End it, and the checks that it is making.")] = False,
    lang: Lang = None,
) -> None:
    """Say whether a process in the background is ready for the next check, and what it holds."""
    from harness import terminal
    from harness.host import client, show

    screen = terminal.Terminal(lang or bundled_course().file.language)
    if stop:
        show.show_end(existed=client.stop(), screen=screen)
    else:
        show.show(client.status(), screen)


@app.command()
def assignments(course: CourseFolder = None, lang: Lang = None) -> None:
    """List the assignments of a course."""
    from harness import terminal

    loaded = load(course)
    terminal.Terminal(lang or loaded.file.language).list(loaded)


@app.command()
def release(
    assignment: Annotated[str, typer.Argument(help="The assignment's slug; `bareme assignments` lists them.")],
    out: Annotated[Path, typer.Option(help="Where the kit's folder SLUG-LANG and its zip go.")],
    course: CourseFolder = None,
    lang: Lang = None,
) -> None:
    """Make the student kit in one language: the notebook without its solutions, data files, a README; and a zip."""
    from harness import release as kits

    loaded = load(course)
    typer.echo(str(kits.release(loaded.assignment(assignment), out, lang or loaded.file.language)))


@app.command()
def audit(
    assignment: Annotated[str, typer.Argument(help="The assignment's slug; `bareme assignments` lists them.")],
    out: Annotated[Path | None, typer.Option(help="Folder for audit.json and audit.html; bareme-audit/SLUG.")] = None,
    jobs: Jobs = CPUS,
    seed: Annotated[int, typer.Option(help="What all seeds follow from.")] = 0,
    seeds: Annotated[int | None, typer.Option(min=1, help="Seeds that the solution is marked under.")] = None,
    mutants: Annotated[int | None, typer.Option(min=1, help="Mark a fair sample of so many mutants.")] = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Mark mutants to the end: which checks find each of them.")
    ] = False,
    course: CourseFolder = None,
    lang: Lang = None,
) -> None:
    """Measure the checks of an assignment: mutants, variants, null notebooks, seeds; exit 1 below what it asks for."""
    runner = _workers(jobs, _folder(course), assignment)
    from harness import cohort, terminal
    from harness.audit import examine, export, table
    from harness.gradebook import atomic
    from reports.audit import write_audit

    loaded = load(course)
    screen = terminal.Terminal(lang or loaded.file.language)
    folder = out or Path("bareme-audit") / assignment
    order = examine.Order(
        loaded, loaded.assignment(assignment), jobs=jobs, seed=seed, seeds=seeds, mutants=mutants, thorough=thorough
    )
    with cohort.claimed(folder):
        try:
            with table.progress(screen.progress_console, screen.language) as tell:
                findings = examine.audit(order, runner, tell, screen.warn)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        atomic.write(folder / "audit.json", export.encode(findings))
        page = write_audit(findings, folder / "audit.html", language=screen.language, now=datetime.now(UTC))
    table.show(findings, screen.results, screen.language)
    typer.echo(str(page))
    raise typer.Exit(examine.verdict(findings))


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
def leaderboard(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="The --out folders of runs.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; the first DIR if left out.")] = None,
    final: Annotated[bool, typer.Option("--final", help="The standing that decides, from private splits.")] = False,
    names: Annotated[
        bool, typer.Option("--names", help="Write leaderboard-instructor.html and .json as well, with names.")
    ] = False,
    pseudonyms: Annotated[
        Path | None, typer.Option(help="Chosen names (TOML); pseudonyms.toml of the course if left out.")
    ] = None,
    course: CourseFolder = None,
    lang: Lang = None,
) -> None:
    """Write leaderboard.html and leaderboard.json from every run in each DIR."""
    from harness import standings

    loaded = load(course)
    order = standings.Order(loaded, _runs(folders), out or folders[0], final=final, pseudonyms=pseudonyms)
    typer.echo(str(_post(order, names=names, language=lang or loaded.file.language)))


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
    from harness import doctor, terminal

    loaded = load(course)
    findings = doctor.examine(loaded)
    terminal.Terminal(lang or loaded.file.language).findings(findings)
    raise typer.Exit(ExitCode.INFRASTRUCTURE if any(finding.blocks for finding in findings) else ExitCode.DONE)


def bundled_folder() -> Path:
    """Where the course lies that comes with bareme."""
    return Path(str(files("assignments")))


def bundled_course() -> "Course":
    """The course that comes with bareme."""
    return load(None)


def load(folder: Path | None) -> "Course":
    """The course in `folder`, or the bundled one."""
    from harness.course import load_course

    return load_course(_folder(folder))


def publish(marked: Cohort, out: Path, course: "Course", language: Language, drafts: "Drafts | None" = None) -> Path:
    """Write all pages and exports of `marked` into `out`, boards where something was measured; returns the index."""
    from harness.gradebook import exports
    from reports.render import write

    now = datetime.now(UTC)
    after_due = course.assignment(marked.run.assignment).is_after_due(now)
    exports.write(marked, out, after_due=after_due, language=language)
    if any(graded.metrics for graded in marked.results):
        from harness import standings

        _post(standings.Order(course, _runs([out]), out), names=False, language=language)
    return write(marked, out, language=language, now=now, after_due=after_due, drafts=drafts)


def _post(order: "BoardOrder", *, names: bool, language: Language) -> Path:
    """Write the boards of `order`; with `names`, the instructor's copy as well. Returns the page to be published."""
    from harness import cohort, standings
    from harness.gradebook import atomic
    from harness.leaderboard import encode
    from reports.board import write_board

    now = datetime.now(UTC)
    with cohort.claimed(order.out):
        for name, copy in standings.copies(standings.make(order, now), names=names).items():
            atomic.write(order.out / f"{name}.json", encode(copy))
            write_board(copy, order.out / f"{name}.html", language=language, now=now)
    return order.out / "leaderboard.html"


def verdict(marked: Cohort, fail_under: float | None) -> ExitCode:
    """The exit code of a finished run."""
    if any(graded.status is Status.INFRASTRUCTURE for graded in marked.results):
        return ExitCode.INFRASTRUCTURE
    percents = [100 * graded.score / graded.max_score for graded in marked.results if graded.score is not None]
    return ExitCode.BELOW if fail_under is not None and min(percents, default=0.0) < fail_under else ExitCode.DONE


def _order(
    course: "Course",
    assignment: "Assignment",
    submissions: Path,
    out: Path,
    *,
    jobs: int,
    device: AskedDevice,
    **rest: Any,
) -> "Order":
    from harness import doctor
    from harness.orders import Order

    chosen = doctor.device(device, assignment.file.device)
    return Order(
        course=course,
        assignment=assignment,
        submissions=submissions.resolve(),
        out=out.resolve(),
        device=chosen,
        device_name=doctor.device_name(chosen),
        jobs=jobs,
        **rest,
    )


def _folder(course: Path | None) -> Path:
    return course.resolve() if course else bundled_folder()


def _workers(jobs: int, folder: Path, *slugs: str, stand_in: "StandIn | None" = None) -> "LocalRunner":
    """Workers that mark, first of all: what they take is imported while the command imports what it takes itself.

    `stand_in`: finds a process that has it all already.
    """
    from harness import tasks
    from harness.runners.local import LocalRunner

    runner = LocalRunner(jobs, stand_in)
    runner.prepare(tasks.prepare, str(folder), *slugs)
    return runner


def _borrowed(
    order: "Order", runner: "LocalRunner", tell: Callable[[Text], None]
) -> AbstractContextManager[str | None]:
    from harness.host import run

    return run.borrowed(
        order.course, order.assignment, kernels=_kernels(order), device=order.device, runner=runner, tell=tell
    )


def _kernels(order: "Order") -> KernelsName:
    return "cold" if order.sandbox == "plain" else order.kernels


def _mark(
    order: "Order", runner: "LocalRunner", screen: "Terminal", drafts: "Drafts", *, lent: str | None = None
) -> Cohort:
    """Mark, with kernels of the fork server whose address is `lent` where there is one; pages become `drafts`."""
    from harness import fork_servers, sandbox

    try:
        with fork_servers.served(
            order.course, order.assignment, kernels=_kernels(order), device=order.device, tell=screen.warn, lent=lent
        ) as server:
            # here: fail early where the sandbox cannot work; say what an uncontained run does not cover
            if warning := sandbox.warning(sandbox.choose(order.sandbox)):
                screen.warn(warning)
            from harness import cohort  # no sooner: kernels and workers are made ready meanwhile

            with screen.progress() as tell:
                return cohort.mark(order, runner, server, _with_drafts(tell, drafts), screen.warn)
    except KeyboardInterrupt:
        screen.interrupted(order.out)
        raise typer.Exit(INTERRUPTED) from None


def _drafts(assignment: "Assignment", language: Language) -> "Drafts":
    from reports.drafts import Drafts

    return Drafts(language, after_due=assignment.is_after_due(datetime.now(UTC)))


def _with_drafts(tell: Callable[["Progress"], None], drafts: "Drafts") -> Callable[["Progress"], None]:
    """As `tell`; `drafts` are made of what is over while workers have the grader wait."""

    def told(progress: "Progress") -> None:
        drafts.ask(progress.run, progress.graded)
        tell(progress)

    return told


def _gradebook(folder: Path) -> "Gradebook":
    from harness import cohort
    from harness.gradebook import Gradebook

    path = folder / cohort.GRADEBOOK
    if not path.is_file():
        raise UsageError(f"{path} is missing", remedy="Name the --out folder of a `bareme grade` run.")
    return Gradebook.open(path)


def _runs(folders: Sequence[Path]) -> list[Cohort]:
    runs: list[Cohort] = []
    for folder in folders:
        with _gradebook(folder) as gradebook:
            _latest(gradebook, folder)  # a folder without a run is a mistake
            runs += [gradebook.cohort(run.id) for run in gradebook.runs()]
    return runs


def _latest(gradebook: "Gradebook", folder: Path) -> RunInfo:
    run = gradebook.latest()
    if run is None:
        raise UsageError(f"the gradebook in {folder} holds no run", remedy="Mark a cohort first: bareme grade.")
    return run


def main() -> None:
    """Run the command line; our own errors become one line and their exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    gc.set_threshold(COLLECT_AFTER)
    try:
        app(prog_name="bareme")  # however it was started
    except BaremeError as error:
        typer.secho(f"bareme: {error}", err=True, fg="red")
        sys.exit(error.exit_code)
    finally:
        gc.freeze()  # what is left goes with the process: no need to go through it once more, for 0.1 s


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
