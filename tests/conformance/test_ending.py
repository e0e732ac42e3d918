"""How a program ends: by itself, on request, by force, together with the grader; always with all that it started."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest

import harness
from harness.errors import InfrastructureError, SandboxUnavailable
from harness.sandbox.bubblewrap import Bubblewrap

SLEEP = "import time; ready(); time.sleep(600)"
# a daemon of the old school: two forks, a session of its own, all descriptors closed
DAEMON = """
    import time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 3)
            os.execv("/usr/bin/sleep", ["sleep", "600.0" + sys.argv[1]])
        os._exit(0)
    os.wait()
"""
GRADER = """
    import os, sys, time
    from harness.course import Limits
    from harness.sandbox.contract import Program
    from sandboxes import sandbox

    code = sys.argv[3].encode()
    program = Program("main.py", (sys.argv[2],), {"main.py": code}, {}, (), Limits())
    process = sandbox(sys.argv[1]).start(program)
    os.read(process.ready_fd(), 1)
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def marker():
    return f"{os.getpid()}{os.urandom(3).hex().translate(str.maketrans('abcdef', '123456'))}"


def test_by_itself(bench):
    process = bench.start("tell('done')")
    bench.wait(process.wait_fd())
    assert not process.running()
    assert bench.told(process) == "done"
    assert process.exceeded() is None


def test_ready_pipe_ends_with_the_program(bench):
    process = bench.start("sys.exit(3)")
    bench.wait(process.ready_fd())
    assert os.read(process.ready_fd(), 1) == b""


def test_on_request(bench):
    process = bench.start_ready(
        """
        import signal, time
        def leave(*_):
            tell("tidied up")
            os._exit(0)
        signal.signal(signal.SIGTERM, leave)
        ready()
        time.sleep(600)
        """
    )
    process.end(grace_s=30.0)
    assert bench.told(process) == "tidied up"
    assert not process.running()


@pytest.mark.parametrize("grace_s", [0.0, 0.1])
def test_by_force(bench, grace_s):
    process = bench.start_ready(
        """
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        ready()
        while True:
            time.sleep(600)
        """
    )
    members = bench.tree(process)
    process.end(grace_s=grace_s)
    assert not process.running()
    assert len(members) >= 2  # the program, and what is ours
    assert bench.eventually(lambda: not bench.alive(members))


@pytest.mark.parametrize("then", ["ready(); time.sleep(600)", ""], ids=["program ended", "program ends"])
def test_daemons_end_with_the_program(bench, marker, then):
    process = bench.start(f"{textwrap.dedent(DAEMON)}\n{then}", arguments=(marker,))
    bench.wait(process.ready_fd())
    process.end()
    assert bench.marked(marker) == []


def test_what_a_program_leaves_behind_ends_without_being_asked(bench, marker):
    process = bench.start(DAEMON, arguments=(marker,))
    bench.wait(process.wait_fd())
    assert bench.eventually(lambda: bench.marked(marker) == [])


def test_zombies_are_no_obstacle(bench, marker):
    process = bench.start_ready(
        """
        import time
        for _ in range(10):
            if os.fork() == 0:
                os._exit(0)
        ready()
        time.sleep(600)
        """,
        arguments=(marker,),
    )
    process.end()
    assert bench.marked(marker) == []


def test_twice_and_from_several_threads(bench):
    process = bench.start_ready(SLEEP)
    threads = [threading.Thread(target=process.end) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    process.end()
    assert not process.running()
    process.interrupt()  # nobody is there any more
    assert process.usage().cpu_s > 0  # the last figures seen


def test_interrupt_raises_in_the_program(bench):
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup: the program must not inherit it
    try:
        process = bench.start_ready(
            """
            import time
            try:
                ready()
                while True:
                    time.sleep(0.05)  # a signal just before a sleep does not end it in Python
            except KeyboardInterrupt:
                tell("interrupted")
            """
        )
        process.interrupt()
        bench.wait(process.wait_fd())
    finally:
        signal.signal(signal.SIGINT, previous)
    assert bench.told(process) == "interrupted"


def test_interrupt_reaches_the_program_only(bench):
    process = bench.start_ready(
        """
        import signal, time
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, lambda *_: os._exit(9))
            time.sleep(600)
        try:
            ready()
            while True:
                time.sleep(0.05)  # a signal just before a sleep does not end it in Python
        except KeyboardInterrupt:
            tell(os.waitpid(child, os.WNOHANG)[0])
        """
    )
    process.interrupt()
    bench.wait(process.wait_fd())
    assert bench.told(process) == 0


@pytest.mark.slow
def test_the_tree_dies_with_the_grader(bench, marker, tmp_path):
    code = textwrap.dedent(DAEMON) + "\nos.write(int(os.environ['BAREME_READY_FD']), b'.'); time.sleep(600)"
    script = tmp_path / "grader.py"
    script.write_text(textwrap.dedent(GRADER))
    search = os.pathsep.join(
        [str(Path(harness.__file__).parent.parent), str(Path(__file__).parent / "shared"), *sys.path]
    )
    with tempfile.TemporaryDirectory(dir="/tmp") as scratch:  # a short path, for sockets
        with subprocess.Popen(
            [sys.executable, script, bench.name, marker, "import os, sys, time\n" + code],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search, "TMPDIR": scratch},
        ) as grader:
            assert grader.stdout.readline() == b"ready\n"
            named = 2 if bench.name == "warm" else 3  # grader, daemon, and a program that was not forked
            begun = bench.eventually(lambda: len(bench.marked(marker)) >= named)
            grader.kill()
        assert begun
        assert bench.eventually(lambda: bench.marked(marker) == [])
        assert bench.eventually(lambda: not list(Path(scratch).iterdir()))


def test_nothing_is_left_on_disk(bench, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("harness.sandbox.plain.LONGEST_FOLDER", 1000)
    process = bench.start_ready("import time; os.mkdir('x', 0o000); ready(); time.sleep(600)")
    process.end()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", ""])
def test_files_stay_in_their_folder(bench, name):
    with pytest.raises(InfrastructureError, match="leads out"):
        bench.start("", files={name: b""})


def test_a_visible_secret_stops_the_start():
    with pytest.raises(SandboxUnavailable, match="would be visible"):
        Bubblewrap(secrets=(Path(os.__file__).parent,)).check()
