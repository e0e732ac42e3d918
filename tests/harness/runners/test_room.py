"""How many submissions memory allows at a time."""

from pathlib import Path

import pytest

from harness.runners.room import WORKER_BYTES, allotted, available_bytes

GIB = 2**30
EACH = 2 * GIB - WORKER_BYTES  # with its worker: two


@pytest.mark.parametrize(
    ("asked", "tasks", "available", "jobs"),
    [
        (4, 60, 100 * GIB, 4),
        (4, 3, 100 * GIB, 3),
        (4, 60, 7 * GIB, 3),
        (4, 60, 0, 1),
        (4, 0, 100 * GIB, 1),
        (1, 9, 0, 1),
    ],
)
def test_the_least_of_what_is_asked_there_and_fits(asked: int, tasks: int, available: int, jobs: int) -> None:
    found = allotted(asked, tasks, available_bytes=available, task_bytes=EACH)
    assert found.jobs == jobs


def test_only_memory_is_worth_a_remark() -> None:
    assert allotted(8, 3, available_bytes=100 * GIB, task_bytes=EACH).remark() is None
    assert allotted(1, 3, available_bytes=0, task_bytes=EACH).remark() is None
    remark = allotted(8, 60, available_bytes=5 * GIB, task_bytes=EACH).remark()
    assert remark is not None
    assert remark.en.startswith("Submissions marked side by side: 2 instead of 8. Each may hold 2\N{NO-BREAK SPACE}GiB")
    assert "il en reste 5\N{NO-BREAK SPACE}Gio" in remark.fr


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with 8 GiB left."""
    files = {"proc/meminfo": f"MemTotal: 99 kB\nMemAvailable: {8 * 2**20} kB\n", "proc/self/cgroup": ""}
    _write(tmp_path, files)
    return tmp_path


def test_the_machines_memory(machine: Path) -> None:
    assert available_bytes(machine) == 8 * GIB


@pytest.mark.parametrize(
    ("limit", "used", "left"),
    [(6 * GIB, 4 * GIB, 3 * GIB), (6 * GIB, 9 * GIB, 0), (20 * GIB, 0, 8 * GIB), ("max", 4 * GIB, 8 * GIB)],
)
def test_the_limit_of_a_group_above(machine: Path, limit: object, used: int, left: int) -> None:
    group = "sys/fs/cgroup/user.slice"
    _write(
        machine,
        {
            "proc/self/cgroup": "0::/user.slice/session-1.scope\n",
            f"{group}/session-1.scope/memory.max": "max\n",
            f"{group}/memory.max": f"{limit}\n",
            f"{group}/memory.current": f"{used}\n",
            f"{group}/memory.stat": f"anon 12\ninactive_file {GIB}\n",
        },
    )
    assert available_bytes(machine) == left


def test_the_limit_of_a_container_that_sees_its_own_group_as_the_top(machine: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{2 * GIB}",
        "sys/fs/cgroup/memory.current": "0",
    }
    _write(machine, files)
    assert available_bytes(machine) == 2 * GIB


def test_groups_of_version_1(machine: Path) -> None:
    group = "sys/fs/cgroup/memory/docker/4f"
    _write(
        machine,
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/4f\n4:memory:/docker/4f\n0::/\n",
            f"{group}/memory.limit_in_bytes": f"{4 * GIB}\n",
            f"{group}/memory.usage_in_bytes": f"{2 * GIB}\n",
            f"{group}/memory.stat": f"inactive_file 1\ntotal_inactive_file {GIB}\n",
        },
    )
    assert available_bytes(machine) == 3 * GIB


def test_this_machine_has_some() -> None:
    assert available_bytes() > 0


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
