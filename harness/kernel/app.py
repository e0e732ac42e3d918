"""The kernel itself, inside the sandbox: ipykernel over fixed IPC sockets, without what a marked notebook never needs.

It starts in two steps, cold as warm: `prepare` builds all that opens nothing and depends on no submission, and is done
before a fork where there is one; `run` opens sockets and streams, and is the kernel.
Left out: control, stdin, heartbeat, history file, debugger, subshells, connection file, rich outputs, colours, TCP.
Not covered: answering the grader (probe), rules (guard), what Colab or pip expect to find (shims), loading libraries
ahead and what must not be shared by two kernels (ahead).
"""

# ipykernel and IPython declare few types, hence:
# mypy: disable-error-code="no-untyped-call"

import atexit
import faulthandler
import json
import os
import sys
import threading
import uuid
import warnings
from collections.abc import Sequence
from typing import Any

import IPython.core.logger  # noqa: F401  (this and the next two would be loaded by the first event loop, cell, error)
import pygments.formatters.terminal256  # type: ignore[import-untyped]  # noqa: F401
import tornado.platform.asyncio  # noqa: F401
import zmq
from ipykernel.compiler import XCachingCompiler
from ipykernel.displayhook import ZMQDisplayHook
from ipykernel.iostream import IOPubThread
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from IPython.core.formatters import DisplayFormatter
from IPython.core.profiledir import ProfileDir
from traitlets import Type
from traitlets.config import Config
from zmq.eventloop.zmqstream import ZMQStream

from . import ahead, guard, probe, randomness, shims
from .protocol import MESSAGE, PORTS, REQUEST, SOCKETS, cell_name, utf8
from .streams import STREAMS

SHOWN = 2**16  # characters of one displayed object
SCRATCH = {"IPYTHONDIR": "ipython", "MPLCONFIGDIR": "matplotlib"}  # folders that libraries write to
NO_LIMIT = sys.maxsize
LINGER_MS = 1000  # as ipykernel: for what a kernel that ends by itself has still to send


def prepare(forbidden: Sequence[str]) -> None:
    """Build the kernel, up to what only its own process can do; the rules about `forbidden` names hold from now on."""
    _set_environment()
    KernelApp.instance(config=_config()).build(forbidden)


def run(settings: str) -> None:
    """Run the kernel until it ends; `settings` is JSON, see `provisioner.settings`."""
    _set_environment()  # a forked kernel has an environment of its own
    app = KernelApp.instance()
    app.open(json.loads(settings))
    app.start()


def _set_environment() -> None:
    for variable, name in SCRATCH.items():
        os.environ[variable] = os.path.join(os.environ["TMPDIR"], name)  # noqa: PTH118
    os.environ["MPLBACKEND"] = "agg"


def _config() -> Config:
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Minimal"
    config.Completer.use_jedi = False
    config.Session.copy_threshold = NO_LIMIT  # replies are copied: the next call may change the arrays they show
    config.IPKernelApp.log_level = 50
    config.Kernel["_execute_sleep"] = 0.0  # for clients that stop listening at the reply; ours waits for "idle"
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

    def start(self) -> None:
        """Take requests, and say so when the first message, "starting", is on its way.

        A client that subscribes while something is being sent may never be welcomed: where sending takes notice of the
        subscription first, ZMQ's descriptor no longer tells of it, and ipykernel does not look again.
        """
        super().start()
        self.iopub_thread.schedule(_say_ready)

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


class Profile(ProfileDir):
    """IPython's folder, empty: its log, its notes and four folders take 2 ms, and nobody reads them."""

    def _mkdir(self, path: str, mode: int | None = None) -> bool:  # noqa: ARG002
        return False


class KernelApp(IPKernelApp):
    """Builds the kernel from what it is given, without a file, and opens it from its settings."""

    name = "bareme-kernel"
    settings: dict[str, Any]
    forbidden: tuple[str, ...]

    def build(self, forbidden: Sequence[str]) -> None:
        """What opens nothing: IPython's shell with its magics, the shims, the guard."""
        self.forbidden = tuple(forbidden)
        super(IPKernelApp, self).initialize(argv=[])  # IPython's part; ipykernel's is what follows here and in `open`
        with STREAMS:
            self.init_kernel()
            self.init_shell()
            self.init_extensions()
            self.init_code()
            self.kernel.shell.run_cell("pass", silent=True, store_history=False)  # else the first one takes 2 ms longer
        guard.install(forbidden, after_import=randomness.AFTER_IMPORT)

    def open(self, settings: dict[str, Any]) -> None:
        """What belongs to one kernel: its identity, sockets, threads, streams, seeds.

        Raises:
            ValueError: it was built for other rules.
        """
        if tuple(settings["forbidden"]) != self.forbidden:
            raise ValueError(f"prepared for other rules: {self.forbidden}, not {settings['forbidden']}")
        self.settings = settings
        os.makedirs(self.kernel.profile_dir.location, exist_ok=True)  # noqa: PTH103  (scratch is each kernel's own)
        self.init_connection_file()
        self.init_sockets()
        self.init_io()
        self.init_signal()
        self.init_path()
        self.connect_kernel()
        ahead.renew()
        randomness.seed(settings["cell_seed"])
        sys.stdout.flush()  # what was written until now belongs to no cell
        sys.stderr.flush()

    def init_profile_dir(self) -> None:
        self.profile_dir = Profile(location=os.path.join(self.ipython_dir, "profile_default"))  # noqa: PTH118

    def init_connection_file(self) -> None:
        self.transport = "ipc"
        self.ip = os.path.join(os.environ["BAREME_RUN"], SOCKETS)  # noqa: PTH118
        for channel, port in PORTS.items():
            setattr(self, channel, port)
        self.session.key = self.settings["key"].encode("ascii")

    def init_sockets(self) -> None:
        """Shell, whose answers are never dropped however many wait, and output."""
        self.context = zmq.Context()
        self.context.linger = LINGER_MS
        atexit.register(self.close)
        self.shell_socket = self.context.socket(zmq.ROUTER)
        self.shell_socket.sndhwm = 0
        self._bind_socket(self.shell_socket, self.shell_port)
        self.init_iopub(self.context)

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
        STREAMS.open(self.session, self.iopub_thread, characters=self.settings["output_characters"])
        self.displayhook = sys.displayhook = ZMQDisplayHook(self.session, self.iopub_socket)
        self.displayhook.get_execution_count = lambda: self.kernel.execution_count
        self.patch_io()
        faulthandler.enable(file=sys.stderr.fileno())  # past the capture, to the sandbox's own error stream

    def init_path(self) -> None:
        """The working folder comes last: a student's `torch.py` does not stand in for torch."""
        sys.path.append(os.getcwd())  # noqa: PTH109

    def init_kernel(self) -> None:
        sys.modules["debugpy"] = None  # type: ignore[assignment]  # not to be imported: a fifth of the start-up time
        self.kernel = Kernel.instance(
            parent=self, log=self.log, profile_dir=self.profile_dir, shell_channel_thread=NoSubshells()
        )
        del sys.modules["debugpy"]

    def init_shell(self) -> None:
        super().init_shell()
        assert self.shell is not None  # noqa: S101
        self.shell.display_formatter = TextFormatter(parent=self.shell)
        shims.install()
        warnings.filterwarnings("ignore", message=".*is non-interactive, and thus cannot be shown")  # plt.show()

    def connect_kernel(self) -> None:
        """Give the kernel, which was built without, what has been opened since."""
        kernel, shell = self.kernel, self.kernel.shell
        shell.init_sys_modules()  # once more: what started this script stands there as `__main__`
        kernel.ident = str(uuid.uuid4())
        kernel.session = shell.displayhook.session = shell.display_pub.session = self.session
        kernel.iopub_thread = self.iopub_thread
        kernel.iopub_socket = shell.displayhook.pub_socket = shell.display_pub.pub_socket = self.iopub_socket
        kernel.shell_stream = ZMQStream(self.shell_socket)
        shell.displayhook.topic = kernel._topic("execute_result")  # noqa: SLF001
        kernel.shell_handlers[REQUEST] = probe.Probe(kernel, device=self.settings["device"]).answer


def _say_ready() -> None:
    descriptor = int(os.environ.pop("BAREME_READY_FD"))
    os.write(descriptor, b"1")
    os.close(descriptor)


def _plain_streams() -> None:
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
