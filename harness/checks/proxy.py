"""`submission`, as a check sees it: names of the notebook that can be called, answering with plain values.

An answer that is no value becomes a NoAnswer with the sentence for the student; an argument written into is a Mismatch.
Not covered: transport, limits and restarts (`kernel`), and what a right value is (`compare`).
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from harness.checks.failures import Mismatch, NoAnswer
from harness.checks.history import History, translated
from harness.checks.show import call_brief, clean, is_tensor
from harness.kernel.contract import Answer, Call, Handle, Notebook
from harness.metrics.contract import Timing
from harness.records import CellRun, Outcome, Reading, StudentError, Text

REMEMBERED = 512  # values whose call a message can still name
HEAVY_BYTES = 2**20  # of an array: larger ones are not kept for that, the distributions of a model are gigabytes
PARTS = 8  # of a returned tuple that a message can name: `f(x)[1]`
ENDINGS = {
    Outcome.TIMEOUT: Text("ne se termine pas dans le temps accordé", "did not finish in the time allowed"),
    Outcome.MEMORY: Text("demande plus de mémoire que permis", "took more memory than allowed"),
    Outcome.CRASHED: Text("met fin au noyau sans répondre", "ended the kernel without an answer"),
    Outcome.POLICY: Text("fait ce que le devoir interdit", "does what the assignment forbids"),
    Outcome.FAILED: Text("ne renvoie pas de simples données", "does not return plain data"),
}
KEEP, NULL = "bareme_keep", "bareme_null"  # defined in the baseline kernel only, see NULL_CALLS
NULL_CALLS = f"""
def {KEEP}(answer):
    global bareme_kept
    bareme_kept = answer

def {NULL}(*arguments):
    return bareme_kept
"""  # a cell: calls with the same bytes in and out, and no work
UNKNOWN_NAME = "NameError"  # what a function raises that needs a name which no cell came to define
WROTE = Text("modifie son argument ; travaillez sur une copie", "changes its argument; work on a copy")


class InPlace(NamedTuple):
    """What a function that may change its arguments returned, and the arguments as it left them."""

    value: Any
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class _Made:
    """A value and the words that name it: kept so that its identity stays its own."""

    value: Any
    subject: str
    trip: int  # which round trip brought it


class Conversation:
    """Everything asked of one notebook by one check, and what it answered."""

    def __init__(self, notebook: Notebook, history: History | None = None, *, failed: CellRun | None = None) -> None:
        """`notebook` has run its cells; `history` takes what is asked of it, None where it has no twins.

        `failed` is the first of the cells that failed: names that are missing later are often those it had to define.
        """
        self.history = history
        self._failed = failed
        self.calls = 0  # made so far
        self.answered = False  # whether student code has answered at all: the evidence without which nothing passes
        self._notebook = notebook
        self._made: deque[_Made] = deque(maxlen=REMEMBERED)
        self._trips = 0

    def ask(self, calls: Sequence[Call]) -> tuple[Answer, ...]:
        """One round trip."""
        answers = self._notebook.call(calls)
        self._trips += 1
        self.calls += len(calls)
        if self.history is not None:
            self.history.add(calls, answers)
        self.answered = self.answered or any(answer.outcome is Outcome.PASSED for answer in answers)
        return answers

    def reading(self) -> Reading:
        """What the kernel has used so far."""
        return self._notebook.reading()

    def value(self, call: Call, answer: Answer) -> Any:
        """What came back.

        Raises:
            NoAnswer: nothing did.
            Mismatch: the call changed its arguments.
        """
        trouble = self.trouble(call, answer)
        if trouble is not None:
            raise trouble
        shown = call_brief(full_name(call), call.args, call.kwargs)
        value = _wrapped(answer.value, self)
        if (isinstance(value, np.ndarray) or is_tensor(value)) and value.nbytes > HEAVY_BYTES:
            return value
        self._made.append(_Made(value, shown, self._trips))
        if isinstance(value, tuple | list) and len(value) <= PARTS:
            self._made.extend(_Made(part, f"{shown}[{i}]", self._trips) for i, part in enumerate(value))
        return value

    def trouble(self, call: Call, answer: Answer) -> NoAnswer | Mismatch | None:
        """Why `answer` is none, None when it is one."""
        shown = call_brief(full_name(call), call.args, call.kwargs)
        if answer.outcome is Outcome.MISSING and call.target is None:
            return NoAnswer(Outcome.MISSING, self._with_failed_cell(self._missing(call.name)))
        if answer.error is not None and answer.error.name == UNKNOWN_NAME:
            return NoAnswer(answer.outcome, self._with_failed_cell(_ending(shown, answer)))
        if answer.outcome is not Outcome.PASSED:
            return NoAnswer(answer.outcome, _ending(shown, answer))
        if answer.arguments_changed and not call.in_place:
            return Mismatch(Text(f"`{shown}` {WROTE.fr}.", f"`{shown}` {WROTE.en}."))
        return None

    def subject(self, value: Any) -> str | None:
        """The call that returned this very object: of the last round trip if it may be, else the only one there is."""
        made = [one for one in self._made if one.value is value]
        subjects = {one.subject for one in made if one.trip == self._trips} or {one.subject for one in made}
        return subjects.pop() if len(subjects) == 1 else None

    def _missing(self, name: str) -> Text:
        near = _variants(name)
        there = [other for other, defined in zip(near, self._notebook.defined(near), strict=True) if defined]
        fr = f" Vouliez-vous dire `{there[0]}` ?" if there else ""
        en = f" Did you mean `{there[0]}`?" if there else ""
        return Text(
            f"`{name}` n'est pas défini dans votre notebook.{fr}", f"`{name}` is not defined in your notebook.{en}"
        )

    def _with_failed_cell(self, text: Text) -> Text:
        """`text`, and which cell failed first and why."""
        if self._failed is None:
            return text
        ending = _cell_ending(self._failed)
        number = self._failed.cell + 1
        return Text(
            f"{text.fr} La première cellule en échec est la cellule {number} : elle {ending.fr}.",
            f"{text.en} The first cell that failed is cell {number}: it {ending.en}.",
        )


class Submission:
    """The student's notebook: `submission.name(...)` calls what it defines at its top level."""

    def __init__(self, conversation: Conversation) -> None:
        """All calls go through `conversation`."""
        self._conversation = conversation

    def __getattr__(self, name: str) -> "Function":
        return Function(self._conversation, _public(name))


class RemoteObject:
    """An object of the notebook that stays there: its methods can be called, and it can be passed to functions."""

    def __init__(self, conversation: Conversation, handle: Handle) -> None:
        """`handle` names the object in its kernel."""
        self._conversation = conversation
        self._handle = handle

    def __getattr__(self, name: str) -> "Function":
        return Function(self._conversation, _public(name), self._handle)

    def __repr__(self) -> str:
        return f"<{clean(self._handle.type_name, chars=60)}>"


class Function:
    """A function of the notebook, or a method of an object that stays there."""

    def __init__(self, conversation: Conversation, name: str, target: Handle | None = None) -> None:
        """`target` is the object whose method `name` is, None for a top-level name."""
        self.conversation = conversation
        self._name = name
        self._target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it once and return the plain value.

        Raises:
            NoAnswer: it raised, ran out of time or memory, ended the kernel, broke a rule, or is missing.
            Mismatch: it changed its arguments.
        """
        call = self.prepared(args, kwargs)
        return self.conversation.value(call, self.conversation.ask([call])[0])

    def map(self, arguments: Iterable[Any]) -> list[Any]:
        """Call it for each element (a tuple is several arguments) in one round trip; raises at the first non-answer."""
        calls = [self.prepared(args_of(each)) for each in arguments]
        answers = self.conversation.ask(calls)
        return [self.conversation.value(*pair) for pair in zip(calls, answers, strict=True)]

    @property
    def twinned(self) -> bool:
        """Whether a fresh kernel of the same notebook can be had."""
        return self.conversation.history is not None

    @contextmanager
    def twin(self) -> Iterator["Function"]:
        """The same function in a fresh kernel, asked what this check has asked; it ends with the context.

        Raises:
            NoAnswer: the notebook does not take the same course again.
            ConfigurationError: it belongs to an object of another check.
        """
        if self.conversation.history is None:
            raise LookupError("this notebook has no twins")
        with self.conversation.history.twin() as (notebook, handles):
            target = None if self._target is None else translated(self._target, handles)
            yield Function(Conversation(notebook), self._name, target)

    def answers(self, arguments: Iterable[Any]) -> tuple[Answer, ...]:
        """Like `map`, but whatever became of each call: outcome, exception, output. Objects come back as handles."""
        return self.conversation.ask([self.prepared(args_of(each)) for each in arguments])

    def timed(self, *args: Any) -> Timing:
        """Call it once, alone in its request; wall time on this side, from before encoding to after decoding.

        Raises:
            NoAnswer, Mismatch: as a plain call does.
        """
        call = self.prepared(args)
        began = time.perf_counter()
        answer = self.conversation.ask([call])[0]
        wall_s = time.perf_counter() - began
        return Timing(self.conversation.value(call, answer), wall_s)

    def reading(self) -> Reading:
        """What the whole kernel has used so far, without asking it."""
        return self.conversation.reading()

    def null(self, args: Sequence[Any], answer: Any) -> Timing:
        """The same bytes in and out and no work: for the baseline kernel, which alone can be trusted to do none."""
        Function(self.conversation, KEEP)(answer)
        return Function(self.conversation, NULL).timed(*args)

    def committed(self, *args: Any) -> tuple[RemoteObject | None, Any]:
        """Call it once and leave a matrix of floats in the kernel: the object that keeps it, and the whole answer.

        The object is None where the answer names none. Neither is to be believed: see `metrics.commitment`.

        Raises:
            NoAnswer, Mismatch: as a plain call does.
        """
        call = replace(self.prepared(args), commit=True)
        answer = self.conversation.value(call, self.conversation.ask([call])[0])
        kept = answer[0] if isinstance(answer, tuple) and answer else None
        return (kept if isinstance(kept, RemoteObject) else None), answer

    def in_place(self, *args: Any, **kwargs: Any) -> InPlace:
        """Call it once where the statement lets it change its arguments, and see what it left there."""
        call = replace(self.prepared(args, kwargs), in_place=True)
        answer = self.conversation.ask([call])[0]
        return InPlace(self.conversation.value(call, answer), tuple(answer.arguments or ()))

    def prepared(self, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Call:
        """The call, not yet made."""
        plain_args = tuple(_unwrapped(value) for value in args)
        plain_kwargs = {key: _unwrapped(value) for key, value in (kwargs or {}).items()}
        return Call(self._name, plain_args, plain_kwargs, target=self._target)


def args_of(arguments: Any) -> tuple[Any, ...]:
    """A tuple is the arguments of a call, anything else its only argument."""
    return arguments if isinstance(arguments, tuple) else (arguments,)


def _ending(shown: str, answer: Answer) -> Text:
    """How the call `shown` ended, for the student."""
    if answer.outcome is Outcome.ERROR and answer.error is not None:
        return _raised(shown, answer.error)
    words = ENDINGS.get(answer.outcome, Text("ne répond pas", "gives no answer"))
    fr, en = f"`{shown}` {words.fr}.", f"`{shown}` {words.en}."
    for violation in answer.violations[:1]:
        fr, en = f"{fr} {violation.text.fr}", f"{en} {violation.text.en}"
    return Text(fr, en)


def _cell_ending(run: CellRun) -> Text:
    """How a cell ended, for the student."""
    if run.outcome is Outcome.ERROR and run.error is not None:
        said = _said(run.error)
        return Text(f"lève {said.fr.rstrip('.')}", f"raised {said.en.rstrip('.')}")
    return ENDINGS.get(run.outcome, Text("n'a pas été exécutée", "was not run"))


def _said(error: StudentError) -> Text:
    what = clean(error.name, chars=80)
    message = clean(error.message)
    return Text(f"{what} : {message}", f"{what}: {message}") if message else Text(what, what)


def _raised(shown: str, error: StudentError) -> Text:
    said = _said(error)
    fr, en = said.fr, said.en
    if error.cell is not None and error.line is not None:
        fr += f" (cellule {error.cell + 1}, ligne {error.line})"
        en += f" (cell {error.cell + 1}, line {error.line})"
    return Text(f"`{shown}` lève {fr}.", f"`{shown}` raised {en}.")


def full_name(call: Call) -> str:
    """As the student knows it: `encode`, or `Tokenizer.encode`."""
    return call.name if call.target is None else f"{clean(call.target.type_name, chars=60)}.{call.name}"


def _public(name: str) -> str:
    """`name`, unless it is one of those that pytest and copy look for on every object."""
    if name.startswith("_"):
        raise AttributeError(name)
    return name


def _variants(name: str) -> list[str]:
    """Spellings that students use for `name`: camelCase, one letter more or less, other capitals."""
    words = name.split("_")
    camel = words[0] + "".join(word.capitalize() for word in words[1:])
    pascal = "".join(word.capitalize() for word in words)
    number = name[:-1] if name.endswith("s") else f"{name}s"
    written = [camel, pascal, number, "".join(words), name.lower(), name.upper(), f"get_{name}", f"my_{name}"]
    return [other for other in dict.fromkeys(written) if other != name]


def _wrapped(value: Any, conversation: Conversation) -> Any:
    """`value` with a RemoteObject for each handle."""
    if isinstance(value, Handle):
        return RemoteObject(conversation, value)
    if isinstance(value, list | tuple):
        return type(value)(_wrapped(item, conversation) for item in value)
    if isinstance(value, dict):
        return {key: _wrapped(item, conversation) for key, item in value.items()}
    return value


def _unwrapped(value: Any) -> Any:
    """`value` with its handle for each RemoteObject."""
    if isinstance(value, RemoteObject):
        return value._handle  # noqa: SLF001  # kept out of the student's names
    if type(value) in {list, tuple}:
        return type(value)(_unwrapped(item) for item in value)
    if type(value) is dict:
        return {key: _unwrapped(item) for key, item in value.items()}
    return value
