"""Starts a real ipykernel in a sandbox, in the way that Jupyter provides for: a kernel provisioner.

`jupyter_client.KernelManager` and nbclient run such a kernel like any other; they talk to it over IPC sockets in the
sandbox's folder, and no connection file is written.
Not covered: what runs inside (`launch`, `app`), what is asked of it (`running`).
"""

import asyncio
import json
import os
import secrets
from collections.abc import Callable
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from harness.errors import InfrastructureError
from harness.kernel.channels import Client, context
from harness.kernel.inside import LAUNCHER
from harness.kernel.protocol import PORTS, SOCKETS
from harness.sandbox.contract import RUN, Process, Program, Sandbox

START_S = 60.0  # a kernel that is alive but not ready after this long never will be; usual is half a second


class OneKernel(KernelSpecManager):
    """Knows the one kind of kernel there is, without looking for any on disk."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(argv=[LAUNCHER], display_name=kernel_name, language="python")


class SandboxProvisioner(KernelProvisionerBase):
    """A kernel's process, in a sandbox."""

    process: Process | None = None

    def __init__(self, sandbox: Sandbox, program: Callable[[str], Program]) -> None:
        """`program` makes the program from the key that its messages are signed with."""
        super().__init__()
        self.sandbox = sandbox
        self.program = program

    @property
    def has_process(self) -> bool:
        return self.process is not None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        return {**kwargs, "cmd": [LAUNCHER]}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:  # noqa: ARG002
        """Start the sandbox and wait until every socket is bound.

        Raises:
            InfrastructureError: the kernel ended, or was not ready in time; no student code has run yet.
        """
        key = secrets.token_hex(16)
        self.process = self.sandbox.start(self.program(key))
        await _ready(self.process)
        return {
            "transport": "ipc",
            "ip": self.process.outside(RUN, SOCKETS),
            "key": key.encode("ascii"),
            "signature_scheme": "hmac-sha256",
            **PORTS,  # type: ignore[typeddict-item]  # the names that it wants
        }

    async def poll(self) -> int | None:
        return None if self.process is not None and self.process.running() else 1

    async def wait(self) -> int | None:
        return await self.poll()

    async def send_signal(self, signum: int) -> None:  # noqa: ARG002  (Jupyter interrupts, and ends by kill)
        if self.process is not None:
            self.process.interrupt()

    async def kill(self, restart: bool = False) -> None:  # noqa: ARG002
        if self.process is not None:
            self.process.end()

    async def terminate(self, restart: bool = False) -> None:
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        await self.kill(restart)


async def _ready(process: Process) -> None:
    descriptor = process.ready_fd()
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), START_S)
        told = os.read(descriptor, 1)
    except TimeoutError as error:
        process.end()
        raise InfrastructureError(
            f"a kernel was not ready after {START_S:.0f} s", remedy="Mark with fewer jobs."
        ) from error
    finally:
        loop.remove_reader(descriptor)
    if not told:
        process.end()
        said = process.last_words().strip().rpartition("\n")[2]
        raise InfrastructureError(
            f"a kernel ended while it started: {process.exceeded() or said or 'it said nothing'}",
            remedy="Run `bareme doctor`; give the assignment more memory if it asks for very little.",
        )


class Manager(AsyncKernelManager):
    """Jupyter's manager for one kernel in a sandbox."""

    def __init__(self, sandbox: Sandbox, program: Callable[[str], Program]) -> None:
        super().__init__(
            kernel_name="bareme", kernel_spec_manager=OneKernel(), context=context(), client_factory=Client
        )
        self.provisioner = SandboxProvisioner(sandbox, program)

    async def start_kernel(self, **kwargs: Any) -> None:  # type: ignore[override]  # its base makes it one of both
        """As its base class, which then sleeps for 10 ms and connects a control channel that these kernels lack."""
        command, options = await self.pre_start_kernel(**kwargs)
        await self._async_launch_kernel(command, **options)

    async def _async_request_shutdown(self, restart: bool = False) -> None:  # noqa: ARG002
        """A kernel in a sandbox is not asked to end: its processes are ended."""
        self.process.end()

    request_shutdown = _async_request_shutdown

    def write_connection_file(self, **kwargs: Any) -> None:
        """Nobody else connects."""

    @property
    def process(self) -> Process:
        """The kernel's process, once it has been started."""
        assert isinstance(self.provisioner, SandboxProvisioner)  # noqa: S101
        assert self.provisioner.process is not None  # noqa: S101
        return self.provisioner.process

    async def shut_down(self) -> None:
        """End the process if there is one, and close what is left of the sockets."""
        await self.cleanup_resources()
        self.context.destroy(linger=0)


def settings(key: str, **values: Any) -> str:
    """The one argument of the kernel, as `app.run` reads it."""
    return json.dumps({"key": key, **values})
