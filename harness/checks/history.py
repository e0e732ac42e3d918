"""What one check has asked of a notebook, so that a fresh kernel of the same notebook can be brought to the same state.

Only the questions are kept, and how each ended: what a fresh kernel answers is its own. What earlier checks asked is
left out, so a twin is to be compared with another twin, not with the kernel that the check itself talks to.
Not covered: opening a kernel (`pipeline`), and what twins are compared for (`metrics.perplexity`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.checks.failures import NoAnswer
from harness.checks.show import is_tensor
from harness.errors import ConfigurationError
from harness.kernel.contract import Answer, Call, Handle, Notebook
from harness.records import Outcome, Text

Handles = dict[Handle, Handle]  # object of the kernel that was recorded -> the same one in a twin
DIVERGES = Text(
    "Votre notebook, exécuté une deuxième fois et appelé de la même façon, ne se comporte pas de même : `{name}` finit "
    "autrement. Une mesure doit pouvoir être refaite ; fixez les graines, et n'utilisez ni l'heure ni l'ordre des "
    "threads.",
    "Your notebook, run a second time and called in the same way, does not behave the same: `{name}` ends differently. "
    "A measurement must be repeatable; fix the seeds, and use neither the time nor the order of threads.",
)


@dataclass(frozen=True, slots=True)
class _Request:
    """One round trip."""

    calls: tuple[Call, ...]
    outcomes: tuple[Outcome, ...]
    handles: tuple[Handle, ...]  # in the order in which they came


class History:
    """The questions of one check, in order."""

    def __init__(self, open_twin: Callable[[], Notebook]) -> None:
        """`open_twin` starts a kernel of the same notebook, its cells run; `close` ends it."""
        self._open_twin = open_twin
        self._requests: list[_Request] = []
        self._paused = False

    def add(self, calls: Sequence[Call], answers: Sequence[Answer]) -> None:
        """Keep one round trip; the check may change its arguments afterwards."""
        if not self._paused:
            kept = tuple(_of_their_own(call) for call in calls)
            self._requests.append(_Request(kept, *_course(answers)))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep nothing meanwhile: a measurement asks for much, and leaves nothing behind that a later one needs."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    @contextmanager
    def twin(self) -> Iterator[tuple[Notebook, Handles]]:
        """A fresh kernel that has been asked all of this; it ends with the context, whatever it runs.

        Raises:
            NoAnswer: the notebook does not take the same course again.
        """
        notebook = self._open_twin()
        try:
            handles: Handles = {}
            for request in self._requests:
                _repeat(request, notebook, handles)
            yield notebook, handles
        finally:
            notebook.close()


def translated(handle: Handle, handles: Handles) -> Handle:
    """The object of a twin that `handle` stands for.

    Raises:
        ConfigurationError: the check did not receive it from its own calls.
    """
    if handle not in handles:
        raise ConfigurationError(
            f"a check measures an object ({handle.type_name[:60]!r}) that another check made",
            remedy="Make it in the check that measures it.",
        )
    return handles[handle]


def _repeat(request: _Request, notebook: Notebook, handles: Handles) -> None:
    answers = notebook.call([_moved(call, handles) for call in request.calls])
    outcomes, again = _course(answers)
    if outcomes != request.outcomes or len(again) != len(request.handles):
        pairs = zip(request.calls, request.outcomes, outcomes, strict=True)
        name = next((call.name for call, before, now in pairs if before is not now), request.calls[0].name)
        fr, en = DIVERGES.fr.format(name=name), DIVERGES.en.format(name=name)
        raise NoAnswer(Outcome.FAILED, Text(fr, en))
    handles.update(zip(request.handles, again, strict=True))


def _course(answers: Sequence[Answer]) -> tuple[tuple[Outcome, ...], tuple[Handle, ...]]:
    return tuple(answer.outcome for answer in answers), tuple(
        handle for answer in answers for handle in _handles(answer.value)
    )


def _handles(value: Any) -> Iterator[Handle]:
    if isinstance(value, Handle):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _handles(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _handles(item)


def _of_their_own(call: Call) -> Call:
    """`call` with arguments that nobody else can change."""
    return _with_arguments(call, _copied)


def _moved(call: Call, handles: Handles) -> Call:
    """`call` as it is made of a twin."""
    moved = _with_arguments(call, lambda leaf: translated(leaf, handles) if isinstance(leaf, Handle) else leaf)
    return moved if call.target is None else replace(moved, target=translated(call.target, handles))


def _with_arguments(call: Call, change: Callable[[Any], Any]) -> Call:
    args = tuple(_mapped(value, change) for value in call.args)
    return replace(call, args=args, kwargs={key: _mapped(value, change) for key, value in call.kwargs.items()})


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_mapped(item, change) for item in value)
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    return change(value)


def _copied(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray):
        return leaf.copy()
    return leaf.detach().clone() if is_tensor(leaf) else leaf
