"""The one error tree. Each leaf names the thing that is wrong, says what to do, and carries an exit code.

Not covered here: what student code raises. That is an outcome (`records.Outcome`), never an exception of ours.
"""

from enum import IntEnum

from harness.records import Text


class ExitCode(IntEnum):
    """What the `bareme` command returns to the shell."""

    DONE = 0
    BELOW = 1
    USAGE = 2
    INFRASTRUCTURE = 3


class BaremeError(Exception):
    """Base of everything bareme raises on purpose; printed as one line: what is wrong, then the remedy."""

    exit_code = ExitCode.USAGE

    def __init__(self, problem: str, *, remedy: str) -> None:
        """`problem` names the thing (a path, key, value); `remedy` says what to do about it."""
        super().__init__(f"{problem}. {remedy}")
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        """Its text and attributes: an exception is else rebuilt by a call without `remedy`."""
        return _rebuilt, (type(self), self.args, vars(self))


class ConfigurationError(BaremeError):
    """course.toml, assignment.toml or checks.py says something impossible."""


class MissingExtra(ConfigurationError):
    """A library is not installed that what is measured needs; a self-check goes on without."""

    def __init__(self, library: str) -> None:
        """`library` as it is installed."""
        problem = f"this is measured with {library}, which is not installed"
        super().__init__(problem, remedy="pip install 'bareme[metrics]'")


class UsageError(BaremeError):
    """The command line asks for something that is not there."""


class UnreadableSubmission(BaremeError):
    """A file that was handed in cannot be read as a notebook; `reason` is the sentence for its author."""

    def __init__(self, path: str, reason: Text) -> None:
        super().__init__(
            f"{path}: {reason.en.rstrip('.')}", remedy="Open it in Jupyter, save it again and hand that in."
        )
        self.reason = reason


class InfrastructureError(BaremeError):
    """Our side failed; never a student's score, always retried and reported."""

    exit_code = ExitCode.INFRASTRUCTURE


class SandboxUnavailable(InfrastructureError):
    """No sandbox can be started on this machine as it is set up."""


class GradebookError(InfrastructureError):
    """The gradebook cannot be opened, read or written."""


def _rebuilt(kind: type[BaremeError], arguments: tuple[str, ...], attributes: dict[str, object]) -> BaremeError:
    error = kind.__new__(kind, *arguments)
    vars(error).update(attributes)
    return error
