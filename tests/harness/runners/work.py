"""Work functions for the runner's tests: workers import them by module name."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError


def double(number: int) -> int:
    return 2 * number


def misbehave(how: str) -> str:
    match how:
        case "raise":
            raise ValueError("a bug in marking")
        case "stubborn":
            raise ConfigurationError("cannot be rebuilt", remedy="from its text alone.")
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(600)
    return how


def who(_: int) -> int:
    """The worker's process."""
    return os.getpid()


def say_who_and_hang(folder: str) -> None:
    """With a child that detaches itself, as a sandbox that is just being built has not yet tied itself to us."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path(folder, str(os.getpid())).touch()
    Path(folder, str(child.pid)).touch()
    time.sleep(600)


def interruptible(_: int) -> bool:
    """Whether a program started from here can be interrupted: SIG_IGN would have been inherited."""
    return signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def either(task: tuple[Callable[[Any], Any], Any]) -> Any:
    """Call what the task brings along."""
    work, argument = task
    return work(argument)
