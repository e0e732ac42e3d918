"""The command's side of every question: reach the host of this user, ask it, hear whether it takes the question on.

Standard library only: whoever the host answers waits for nothing else.
Not covered: the questions (`client`, `stand_in`, `run`), the host's side (`server`).
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

from harness.host import frames, identity
from harness.host.place import Place, PlaceRefused
from harness.records import Text

ANSWER_S = 2.0  # for the host to take a question on: it forks, in milliseconds; then the command goes on without it
FALSE = {"", "0", "false", "no"}
SILENT = Text(
    fr="Le processus d'arrière-plan ne répond pas, la commande s'en passe ; `bareme host --stop` l'arrête.",
    en="The process in the background does not answer, going on without it; `bareme host --stop` ends it.",
)


@dataclass(eq=False)
class NotServed(Exception):
    """No host has done what was asked."""

    say: Text | None = None  # what the user should know about that
    startable: bool = True  # whether a new host may be started for the next command


@dataclass(frozen=True, slots=True)
class Answered:
    """A question that was taken on."""

    connection: socket.socket  # without a timeout
    accepted: Mapping[str, Any]  # the first answer
    further: Iterator[dict[str, Any]]  # the answers after it


@contextmanager
def asking(question: Mapping[str, Any]) -> Iterator[Answered]:
    """Ask the host `question`; the connection is closed with the context.

    Raises:
        NotServed: there is no host, it refuses, or does not answer.
    """
    with ExitStack() as closing_all:
        try:
            place = closing_all.enter_context(closing(Place.open()))
            connection = closing_all.enter_context(place.connect(timeout_s=ANSWER_S))
            frames.send(connection, {**question, "identity": identity.identity()})
            answers = frames.received(connection)
            accepted = next(answers, {})
        except (FileNotFoundError, ConnectionError):
            raise NotServed from None
        except (TimeoutError, BlockingIOError):
            raise NotServed(SILENT, startable=False) from None
        except (OSError, PlaceRefused) as error:
            raise NotServed(Text(str(error), str(error)), startable=False) from error
        if "accepted" not in accepted:
            # one that does not stay is made of something else, and makes room for another
            raise NotServed(startable=not accepted.get("stays", False))
        connection.settimeout(None)
        yield Answered(connection, accepted, answers)


def wanted(variable: str, *, default: bool) -> bool:
    """Whether the environment variable says yes."""
    value = os.environ.get(variable)
    return default if value is None else value.lower() not in FALSE
