"""Pages as files: Jinja2 with autoescape, one self-contained HTML file a page, written whole or not at all.

A page has no script and asks for nothing: its Content-Security-Policy allows one style sheet, named by its hash.
Not covered: what a page says (`view`) and in which words (`wording`).
"""

import base64
import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from harness.errors import InfrastructureError
from harness.records import Cohort, Graded, Language, Outcome, Text
from harness.visible import for_student
from reports.drafts import Drafts
from reports.text import clean
from reports.view import index_page, rows_of, submission_page
from reports.wording import Wording, wording

HERE = Path(__file__).parent
STYLE_SHEET = "report.css"
PAGE_MODE = 0o644  # a temporary file is private; a page is there to be read

# One sign an outcome, the same in both languages, told apart without colour: a letter stands for a word of the legend.
SIGNS = {
    Outcome.PASSED: "✓",
    Outcome.FAILED: "✗",
    Outcome.ERROR: "!",
    Outcome.TIMEOUT: "T",
    Outcome.MEMORY: "M",
    Outcome.CRASHED: "K",
    Outcome.POLICY: "R",
    Outcome.MISSING: "?",
    Outcome.SKIPPED: "–",
    Outcome.INFRASTRUCTURE: "B",
}


def write(
    cohort: Cohort,
    out: Path,
    *,
    language: Language,
    now: datetime,
    after_due: bool = False,
    drafts: Drafts | None = None,
) -> Path:
    """Write index.html, students/*.html and instructor/*.html of `cohort` under `out`; the path of index.html.

    `after_due` says that the due date has passed, so that students see the checks which waited for it.
    Of `drafts` those are taken that still hold.
    The index comes last: it never links to a page that is not there.

    Raises:
        InfrastructureError: a page could not be written.
    """
    found = {} if drafts is None else drafts.of(cohort, language, after_due=after_due)
    for row in rows_of(cohort.results):
        pages = found.get(row.result.candidate)
        if pages is None:
            pages = submission_pages(cohort, row.result, language=language, now=now, after_due=after_due)
        for folder, html in pages.items():
            write_page(out / folder / row.file, html)
    return write_page(out / "index.html", render_page("index.html", language, now=now, page=index_page(cohort)))


def write_demo_index(entries: Sequence[tuple[Text, Path]], out: Path, language: Language) -> Path:
    """Write `out`/index.html, which links each assignment's index: (title, its index.html); the path of the page.

    Raises:
        InfrastructureError: the page could not be written.
    """
    links = [(title, quote(index.resolve().relative_to(out.resolve()).as_posix())) for title, index in entries]
    return write_page(out / "index.html", render_page("demo.html", language, entries=links))


def submission_pages(
    cohort: Cohort, result: Graded, *, language: Language, now: datetime, after_due: bool
) -> dict[str, str]:
    """The student's and the instructor's page of `result`, by the folder that each belongs to."""
    shown = {"students": for_student(result, after_due=after_due, overrides=cohort.overrides), "instructor": result}
    pages = {
        folder: submission_page(cohort, each, instructor=folder == "instructor", language=language)
        for folder, each in shown.items()
    }
    return {folder: render_page("submission.html", language, now=now, page=page) for folder, page in pages.items()}


def prepare() -> None:
    """Compile the templates of a cohort's pages, once a process: 0.1 s."""
    for template in ("index.html", "submission.html"):
        _environment().get_template(template)


def render_page(template: str, language: Language, **values: object) -> str:
    """The page that `template` makes of `values`, in `language`."""
    return _environment().get_template(template).render(w=wording(language), style_hash=_style_hash(), **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader([HERE / "templates", HERE / "static"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["prose"] = _prose
    environment.globals.update(signs=SIGNS, outcomes=tuple(Outcome), style_sheet=STYLE_SHEET)
    return environment


def _prose(text: str, w: Wording) -> Markup:
    """A sentence in which code stands between backticks; the words around it get the typography of their language."""
    pieces = clean(text).split("`")
    if len(pieces) % 2 == 0:  # a backtick of the student's own: nothing can be told apart
        return escape(clean(text))
    marked = [
        Markup("<code>{}</code>").format(piece) if i % 2 else escape(w.set(piece)) for i, piece in enumerate(pieces)
    ]
    return Markup("").join(marked)


def _finalize(value: object) -> object:
    """The last gate before escaping: no string of any origin reaches a page uncleaned."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _style_hash() -> str:
    style = _environment().get_template(STYLE_SHEET).render()
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def write_page(path: Path, html: str) -> Path:
    """Put `html` at `path` in one step: whoever opens it sees the old page or the new one.

    Raises:
        InfrastructureError: it cannot be written; what was there stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(html)
            Path(temporary).chmod(PAGE_MODE)
            Path(temporary).replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(temporary).unlink()
            raise
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {path}: {error.strerror}",
            remedy="Free space or choose another --out, then run bareme report.",
        ) from error
    return path
