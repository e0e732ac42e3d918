"""The kernel itself, inside the sandbox: ipykernel over fixed IPC sockets, without what a marked notebook never needs.

Left out: heartbeat, history file, debugger, subshells, connection file, rich outputs, colours, TCP.
Not covered: answering the grader (probe), rules (guard), what Colab or pip expect to find (shims).
"""

# ipykernel and IPython declare few types, hence:
# mypy: disable-error-code="no-untyped-call"

import faulthandler
import json
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import zmq
from ipykernel.compiler import XCachingCompiler
from ipykernel.iostream import IOPubThread, OutStream
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from IPython.core.formatters import DisplayFormatter
from traitlets import Type
from traitlets.config import Config

from . import guard, probe, randomness, shims
from .protocol import MESSAGE, PORTS, REQUEST, SOCKETS, cell_name, utf8

PIECE = 2**16  # characters of output in one message: far below what the grader accepts
SHOWN = 2**16  # characters of one displayed object
SCRATCH = {"IPYTHONDIR": "ipython", "MPLCONFIGDIR": "matplotlib"}  # folders that libraries write to
NO_LIMIT = sys.maxsize


def run(settings: str) -> None:
    """Run the kernel until it ends; `settings` is JSON, see `provisioner.settings`."""
    values = json.loads(settings)
    for variable, name in SCRATCH.items():
        os.environ[variable] = os.path.join(os.environ["TMPDIR"], name)  # noqa: PTH118
    os.environ["MPLBACKEND"] = "agg"
    app = KernelApp.instance(config=_config())
    app.settings = values
    app.initialize(argv=[])
    descriptor = int(os.environ.pop("BAREME_READY_FD"))
    os.write(descriptor, b"1")
    os.close(descriptor)
    app.start()


def _config() -> Config:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Minimal"
    config.Completer.use_jedi = False
    config.Session.copy_threshold = NO_LIMIT  # replies are copied: the next call may change the arrays they show
    config.IPKernelApp.log_level = 50
    return config


class NoSubshells:
    """Stands where ipykernel keeps its thread for subshells: false, but it knows the main thread.

    Without that thread a reply leaves from the main one: code that never releases the interpreter cannot hold it back.
    """

    def __init__(self) -> None:
        self.parent_thread = threading.current_thread()

    def __bool__(self) -> bool:
        return False


class CellCompiler(XCachingCompiler):
    """Names a cell's code by its content, so that the grader can tell which cell a frame belongs to."""

    def get_code_name(self, raw_code: str, code: str, number: int) -> str:  # noqa: ARG002
        return cell_name(raw_code)


class CappedStream(OutStream):
    """Passes output on in pieces until the notebook's allowance is used up, then drops it."""

    left = 0  # characters, of both streams together

    def write(self, string: str) -> int:
        if not isinstance(string, str):
            raise TypeError(f"write() argument must be str, not {type(string).__name__}")
        kept = utf8(string[: CappedStream.left])
        CappedStream.left -= len(kept)
        if kept:
            super().write(kept)
        return len(string)

    def _flush_buffers(self) -> Iterator[tuple[dict[str, Any], str]]:
        for parent, text in super()._flush_buffers():
            for start in range(0, len(text), PIECE):
                yield parent, text[start : start + PIECE]


class TextFormatter(DisplayFormatter):
    """Displays objects as capped plain text: nobody looks at a figure that a marked notebook draws."""

    def format(self, obj: object, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:  # noqa: ARG002
        shown, _ = super().format(obj, include={"text/plain"})
        return {kind: utf8(text[:SHOWN]) for kind, text in shown.items() if isinstance(text, str)}, {}


class Kernel(IPythonKernel):
    """An IPython kernel whose replies carry what the grader wants to know, and nothing without a bound."""

    shell_class = Type(shims.Shell)
    compiler_class = Type(CellCompiler)
    debugger = None

    async def poll_stopped_queue(self) -> None:
        """Nobody debugs."""

    @property
    def _supports_kernel_subshells(self) -> bool:
        return False

    async def do_execute(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        reply = await super().do_execute(*args, **kwargs)
        result = getattr(self.shell, "last_execution_result", None)
        error = result and (result.error_before_exec or result.error_in_exec)
        return {
            "status": reply["status"],
            "ename": utf8(reply.get("ename", "")[:MESSAGE]),
            "evalue": utf8(reply.get("evalue", "")[:MESSAGE]),
            "traceback": [],
            "execution_count": reply["execution_count"],
            "user_expressions": {},
            "payload": [],
            "bareme": {"error": error and probe.describe(error), "violations": guard.take_violations()},
        }

    raw_input = staticmethod(shims.no_input)
    getpass = staticmethod(shims.no_input)


class KernelApp(IPKernelApp):
    """Builds the kernel from the settings that it is given, without a file."""

    name = "bareme-kernel"
    settings: dict[str, Any]

    def init_connection_file(self) -> None:
        self.transport = "ipc"
        self.ip = os.path.join(os.environ["BAREME_RUN"], SOCKETS)  # noqa: PTH118
        for channel, port in PORTS.items():
            setattr(self, channel, port)
        self.session.key = self.settings["key"].encode("ascii")

    def write_connection_file(self, **kwargs: Any) -> None:
        """Nobody else connects."""

    def init_heartbeat(self) -> None:
        """The sandbox knows whether the process lives."""

    def init_control(self, context: Any) -> None:
        super().init_control(context)
        self.shell_channel_thread = NoSubshells()
        self.shell_socket.sndhwm = 0  # a batch's answers are never dropped, however many wait

    def init_iopub(self, context: Any) -> None:
        self.iopub_socket = context.socket(zmq.XPUB)
        self.iopub_port = self._bind_socket(self.iopub_socket, self.iopub_port)
        self.configure_tornado_logger()
        # no pipe for forked children, which would be TCP: they write to descriptor 1, which is captured
        self.iopub_thread = IOPubThread(self.iopub_socket, pipe=False, session=self.session)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket
        os.register_at_fork(after_in_child=_plain_streams)

    def init_io(self) -> None:
        CappedStream.left = self.settings["output_characters"]
        self.outstream_class = f"{__name__}.{CappedStream.__name__}"
        super().init_io()
        faulthandler.enable(file=sys.stderr.fileno())  # past the capture, to the sandbox's own error stream

    def init_pdb(self) -> None:
        """Nobody debugs."""

    def init_path(self) -> None:
        """The working folder comes last: a student's `torch.py` does not stand in for torch."""
        sys.path.append(os.getcwd())  # noqa: PTH109

    def init_gui_pylab(self) -> None:
        """Nobody watches."""

    def init_kernel(self) -> None:
        self.kernel_class = Kernel
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # not to be imported: a fifth of the start-up time
        super().init_kernel()
        del sys.modules["debugpy"]

    def init_shell(self) -> None:
        super().init_shell()
        assert self.shell is not None  # noqa: S101
        self.shell.display_formatter = TextFormatter(parent=self.shell)
        shims.install()
        warnings.filterwarnings("ignore", message=".*is non-interactive, and thus cannot be shown")  # plt.show()
        guard.install(self.settings["forbidden"], after_import=randomness.AFTER_IMPORT)
        randomness.seed(self.settings["cell_seed"])
        self.kernel.shell_handlers[REQUEST] = probe.Probe(self.kernel, device=self.settings["device"]).answer


def _plain_streams() -> None:
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
