"""Runs a notebook's code cells, one at a time, by nbclient on a kernel that has been started.

Covered: real execute requests, time limits, what a cell printed (capped), how it ended.
Not covered: starting the kernel again (`live`).
"""

# nbformat declares few types, hence:
# mypy: disable-error-code="no-untyped-call"

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nbformat
import zmq
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, DeadKernelError

from harness.kernel.channels import Message
from harness.kernel.reports import Reader, Report, ended_by
from harness.kernel.running import DRAIN_S, RunningKernel
from harness.records import Cell, CellRun, Outcome, StudentError

IOPUB_S = 3  # after a reply, for output that is still on its way; the reply, not the output, says that a cell is over
SILENT = logging.getLogger(f"{__name__}.silent")  # what nbclient logs is in the outcomes
SILENT.disabled = True


@dataclass(slots=True)
class Output:
    """What a notebook printed, up to a number of bytes."""

    left: int
    truncated: bool = False

    def take(self, text: str) -> str:
        """As much of `text` as is still allowed."""
        data = text.encode("utf-8", "replace")
        if len(data) > self.left:
            self.truncated = True
            text = data[: self.left].decode("utf-8", "ignore")
        self.left -= min(self.left, len(data))
        return text


class Runner(NotebookClient):
    """nbclient, with the kernel given and the outputs gathered as capped text."""

    def __init__(self, kernel: RunningKernel, cell: Cell, output: Output) -> None:
        """Ready to run `cell`; what it prints counts against `output`."""
        node = {"cell_type": "code", "source": cell.source, "metadata": {}, "outputs": []}
        super().__init__(
            nbformat.from_dict({"cells": [node], "metadata": {}}),  # made here: there is nothing to validate
            km=kernel.manager,
            allow_errors=True,
            record_timing=False,
            iopub_timeout=IOPUB_S,
            on_cell_executed=self.keep_reply,
            log=SILENT,
        )
        self.kc = kernel.client
        self.allowance = output
        self.printed: list[str] = []
        self.heard_all = False  # output arrived to its end
        self.reply: dict[str, Any] = {}

    async def run(self) -> None:
        """Run the cell to its end."""
        await self.async_execute_cell(self.nb.cells[0], 0)

    async def keep_reply(self, *, execute_reply: Message, **_: Any) -> None:
        """Take the reply, and give it the one field that nbclient reads unseen."""
        self.reply = execute_reply["content"]
        self.reply.setdefault("status", None)

    def process_message(self, msg: Mapping[str, Any], cell: Any, cell_index: int) -> None:  # noqa: ARG002
        """Take the text of a message; whatever else the kernel publishes is of no interest here."""
        content = msg["content"]
        if msg["msg_type"] == "status" and content.get("execution_state") == "idle":
            self.heard_all = True
            raise CellExecutionComplete
        text = _text(msg["msg_type"], content)
        if text:
            self.printed.append(self.allowance.take(text))


def _text(kind: str, content: Mapping[str, Any]) -> str:
    data = content.get("data")
    if kind == "stream":
        text = content.get("text")
    elif kind in {"execute_result", "display_data"} and isinstance(data, dict):
        text = data.get("text/plain")
    else:
        text = None
    newline = "" if kind == "stream" else "\n"
    return text + newline if isinstance(text, str) else ""


async def run_cell(
    kernel: RunningKernel, cell: Cell, *, seconds: float, output: Output, reader: Reader
) -> tuple[CellRun, Report]:
    """Run `cell` for at most `seconds`; `reader` reads what the kernel says about errors."""
    if not cell.source.strip():
        return CellRun(cell.index, Outcome.PASSED, 0.0, None, ""), Report()
    clock = asyncio.get_running_loop().time
    started = clock()
    runner = Runner(kernel, cell, output)
    outcome = await _outcome(kernel, runner, seconds)
    output.truncated |= not runner.heard_all and outcome is None
    report = reader.report(runner.reply.get("bareme"))
    error = report.error if outcome is None else None
    if outcome is None:
        outcome = _outcome_of_reply(runner.reply, report)
    if outcome is not Outcome.PASSED and error is None:
        error = StudentError(outcome.value, _reason(outcome, kernel, seconds), (), cell=cell.index)
    printed = reader.readable("".join(runner.printed))
    return CellRun(cell.index, outcome, clock() - started, error, printed), report


async def _outcome(kernel: RunningKernel, runner: Runner, seconds: float) -> Outcome | None:
    """How the run ended from outside; None when there is a reply."""
    running = asyncio.ensure_future(runner.run())
    try:
        await asyncio.wait({running, kernel.died}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:  # Ctrl-C: left alone, it would complain of the kernel's death on the terminal
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        raise
    overran = not running.done() and not kernel.died.done()
    if overran:
        await kernel.interrupt(running)
    elif not running.done():
        await asyncio.wait({running}, timeout=DRAIN_S)
    answered = running.done()
    running.cancel()
    try:
        await running
    except (DeadKernelError, asyncio.CancelledError):
        answered = False
    except zmq.Again:  # it has closed its end, and hears of no cell any more
        kernel.end()
        answered = False
    cause = None if answered else kernel.cause()
    return Outcome.TIMEOUT if overran else cause


def _outcome_of_reply(reply: Mapping[str, Any], report: Report) -> Outcome:
    if reply.get("status") == "ok":
        return Outcome.PASSED
    if reply.get("status") != "error":
        return Outcome.CRASHED  # it broke the protocol
    return report.outcome or Outcome.ERROR


def _reason(outcome: Outcome, kernel: RunningKernel, seconds: float) -> str:
    if outcome is Outcome.TIMEOUT and kernel.process.exceeded() is None:
        return f"not over after {seconds:.1f} s"
    return ended_by(outcome, kernel.last_fault())
