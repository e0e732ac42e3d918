"""Pages of submissions made while others are still being marked: at the end they have only to be written.

A draft is taken only for the very result that it shows, and not where a decision of the instructor belongs on the page.
Not covered: what is on a page (`view`), making one and writing it (`render`).
"""

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import TypeAlias

from harness.records import Candidate, Cohort, Graded, Language, RunInfo

MOST = 200  # results whose drafts are kept, 40 kB each: a cohort of any size is marked in the same memory
Pages: TypeAlias = Mapping[str, str]  # of one result, by the folder that each belongs to


@dataclass(slots=True)
class Drafts:
    """Made one after the other by a thread, which lasts as long as this process."""

    language: Language
    after_due: bool  # whether the due date has passed
    _made: dict[Candidate, tuple[str, Graded, Pages]] = field(default_factory=dict, init=False)  # with the run's id
    _asked: SimpleQueue[tuple[RunInfo, Graded] | threading.Event] = field(default_factory=SimpleQueue, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def ask(self, run: RunInfo, result: Graded) -> None:
        """Have a draft made of `result`, soon, unless there are enough."""
        if len(self._made) >= MOST:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._make, name="drafts", daemon=True)
            self._thread.start()
        self._asked.put((run, result))

    def of(self, cohort: Cohort, language: Language, *, after_due: bool) -> dict[Candidate, Pages]:
        """All that hold for `cohort` as it is now, for readers of `language`, before or after the due date."""
        if self._thread is not None:
            done = threading.Event()
            self._asked.put(done)
            done.wait()
        if (language, after_due) != (self.language, self.after_due):
            return {}
        decided = {override.student for override in cohort.overrides}
        found = {}
        for result in cohort.results:
            run, shown, pages = self._made.get(result.candidate, ("", None, {}))
            if (run, shown) == (cohort.run.id, result) and result.candidate.student not in decided:
                found[result.candidate] = pages
        return found

    def _make(self) -> None:
        from reports import render  # here: it takes its time, and the grader has other things to do

        with suppress(Exception):  # as below; this thread must live, for `of` waits for its answer
            render.prepare()
        while True:
            asked = self._asked.get()
            if isinstance(asked, threading.Event):
                asked.set()
                continue
            run, result = asked
            with suppress(Exception):  # whoever writes the page makes it then, and meets the same
                alone = Cohort(run, (result,), ())
                pages = render.submission_pages(
                    alone, result, language=self.language, now=datetime.now(UTC), after_due=self.after_due
                )
                self._made[result.candidate] = run.id, result, pages
