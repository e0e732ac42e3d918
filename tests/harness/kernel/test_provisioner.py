"""Jupyter's own manager runs a kernel in a sandbox, over IPC, without a file; what fails before that is our fault."""

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.course import Limits
from harness.errors import InfrastructureError
from harness.kernel import Call
from harness.kernel.inside import trusted_files
from harness.kernel.live import LiveNotebook
from harness.kernel.provisioner import Manager
from harness.sandbox.plain import Plain

LEFTOVERS = Path(__file__).with_name("leftovers.py")


def running_kernels() -> list[str]:
    """Command lines of kernels that were started cold."""
    lines = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it ended meanwhile
            lines.append(" ".join(child.cmdline()))
    return [line for line in lines if '"cell_seed"' in line]


def test_jupyters_manager_starts_interrupts_and_ends_it(sandbox, make_plan, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))

    async def session() -> tuple[str, bool, bool]:
        manager = Manager(sandbox, make_plan().program)
        await manager.start_kernel()
        alive = await manager.is_alive()
        client = manager.client(context=manager.context)
        client.start_channels(stdin=False, hb=False, control=False)
        request = client.execute("1 + 1", silent=False)
        while (reply := await client.get_shell_msg(timeout=20))["parent_header"].get("msg_id") != request:
            pass
        await manager.interrupt_kernel()
        client.stop_channels()
        await manager.shut_down()
        return reply["content"]["status"], alive, await manager.is_alive()

    assert asyncio.run(session()) == ("ok", True, False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("now", [False, True])
def test_jupyters_manager_shuts_it_down(sandbox, make_plan, now):
    async def session() -> bool:
        manager = Manager(sandbox, make_plan().program)
        await manager.start_kernel()
        await manager.shutdown_kernel(now=now)
        await manager.shut_down()
        return manager.process.running()

    assert not asyncio.run(session())


def test_no_socket_of_the_kernel_is_tcp(opened):
    notebook = opened(
        "tcp = [line for name in ('tcp', 'tcp6') for line in open(f'/proc/net/{name}').read().splitlines()[1:]]"
    )
    notebook.run_cells()

    assert notebook.call([Call("tcp")])[0].value == []


def test_a_kernel_that_dies_before_any_student_code_is_our_fault(cold, make_plan, monkeypatch):
    broken = {**trusted_files(), "app.py": b"raise OSError('no luck')"}
    monkeypatch.setattr("harness.kernel.starts.trusted_files", lambda: broken)
    with LiveNotebook(make_plan("x = 1"), cold) as notebook:
        with pytest.raises(InfrastructureError, match="ended while it started: OSError: no luck"):
            notebook.run_cells()
        with pytest.raises(InfrastructureError):
            notebook.defined(["x"])


def test_a_kernel_that_is_never_ready_is_our_fault(cold, make_plan, monkeypatch):
    stuck = {**trusted_files(), "app.py": b"import time\ntime.sleep(600)"}
    monkeypatch.setattr("harness.kernel.starts.trusted_files", lambda: stuck)
    monkeypatch.setattr("harness.kernel.provisioner.START_S", 0.5)
    with LiveNotebook(make_plan("x = 1"), cold) as notebook, pytest.raises(InfrastructureError, match="not ready"):
        notebook.run_cells()
    assert running_kernels() == []


@pytest.mark.slow
@pytest.mark.parametrize("way", ["cold", "warm"])
def test_nothing_is_left_after_closing(way):
    done = subprocess.run([sys.executable, LEFTOVERS, way], capture_output=True, text=True, check=True)
    left = json.loads(done.stdout)
    assert not left, "\n".join(left)


def test_the_working_folder_has_the_files_and_nothing_of_ours(opened):

    notebook = opened("import os\nnames = sorted(os.listdir('.'))", files={"data/prenoms.txt": b"emma\n"})
    notebook.run_cells()
    assert notebook.call([Call("names")])[0].value == ["data"]


def test_the_plain_sandbox_runs_the_same_kernel(make_plan):

    limits = replace(Limits(), cell_s=20.0, call_s=20.0)
    with LiveNotebook(make_plan("def f(x): return x + 1", "print('é')", limits=limits), Plain()) as notebook:
        execution = notebook.run_cells()
        assert [cell.output for cell in execution.cells] == ["", "é\n"]
        assert notebook.call([Call("f", (1,))])[0].value == 2
