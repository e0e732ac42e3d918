"""What Landlock and the filter of system calls add inside a sandbox, and what notebooks can do all the same."""

import errno
import json
import os
import platform
import socket
import textwrap

import pytest

from harness.sandbox import landlock, syscalls

MACHINE = platform.machine()
SIGCHLD = 17
GETPID = 39  # x86-64
needs_landlock = pytest.mark.skipif(landlock.version() < landlock.OLDEST, reason="this Linux offers no Landlock")
needs_scopes = pytest.mark.skipif(landlock.version() < landlock.SCOPES_SINCE, reason="signals: since version 6")
TRY = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return ctypes.get_errno() if result < 0 else 0

def refused(act, *given):
    try:
        act(*given)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None
"""
# Each is a thing that notebooks, or what they import, do; it raises when it fails.
USES = {
    "children": "assert subprocess.run(['sh', '-c', 'echo hello > /dev/null; exit 3']).returncode == 3",
    "a shell's pipes": "assert subprocess.check_output('echo b | cat - /dev/stdin | sort', shell=True) == b'b\\n'",
    "forked workers": "assert multiprocessing.get_context('fork').Pool(2).map(abs, [-1, 2]) == [1, 2]",
    "spawned workers": "assert multiprocessing.get_context('spawn').Pool(1).map(abs, [-1, 2]) == [1, 2]",
    "shared memory": "block = SharedMemory(create=True, size=9); block.buf[0] = 1; block.close(); block.unlink()",
    "queues of processes": "multiprocessing.Queue().put(1)",
    "threads": "threads = ThreadPoolExecutor(4); assert list(threads.map(abs, [-1])) == [1]; threads.shutdown()",
    "signals to children": "child = subprocess.Popen(['sleep', '600']); child.terminate(); assert child.wait() == -15",
    "signals to itself": "signal.raise_signal(signal.SIGCHLD); os.kill(os.getpid(), 0); os.killpg(0, 0)",
    "a program of its own": "write('run.sh', '#!/bin/sh\\nexit 4'); os.chmod('run.sh', 0o755); "
    "assert subprocess.call('./run.sh') == 4",
    "moving files": "os.makedirs('a/b'); write('a/x'); os.rename('a/x', 'a/b/y'); os.replace('a/b/y', 'z'); "
    "os.rename('a/b', 'c'); os.link('z', 'c/z')",
    "moving files to /tmp": "write('moved'); os.unlink(shutil.move('moved', tempfile.mkdtemp()))",
    "cutting files": "write('cut', 'xxx'); os.truncate('cut', 1); write('cut', '')",
    "links and fifos": "os.symlink('x', 'link'); os.mkfifo('fifo'); os.unlink('fifo'); os.unlink('link')",
    "folders": "os.mkdir('d'); os.rmdir('d'); shutil.rmtree(tempfile.mkdtemp()); tempfile.TemporaryFile().close()",
    "mapped files": "write('map', 'x' * 9); file = open('map', 'r+b'); mapped = mmap.mmap(file.fileno(), 9); "
    "mapped[0:1] = b'y'; mapped.close()",
    "terminals": "ends = pty.openpty(); os.write(ends[1], b'x'); assert os.isatty(ends[1]); assert os.read(ends[0], 1)",
    "the null device": "assert not open(os.devnull, 'w').isatty(); open('/dev/stdin').read(); write('/dev/stdout', '')",
    "random bytes": "assert len(open('/dev/urandom', 'rb').read(4)) == 4",
    "servers on the loopback": "asyncio.run(served())",
    "sockets in folders": "[connected(os.environ[name] + '/s') for name in ('HOME', 'TMPDIR', 'BAREME_RUN')]",
    "abstract sockets": "connected(f'\\0own-{os.getpid()}')",
    "crash reports": "faulthandler.enable(); faulthandler.dump_traceback_later(600); faulthandler.disable()",
    "locks on files": "fcntl.flock(open('lock', 'w'), fcntl.LOCK_EX)",
    "events of files": "assert libc.inotify_init() > 0",
    "facts about itself": "open('/proc/self/status').read(); os.listdir('/proc/self/fd'); os.sched_getaffinity(0)",
}
DO = """
import asyncio, fcntl, faulthandler, mmap, multiprocessing, pty, shutil, signal, socket, subprocess, tempfile
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.shared_memory import SharedMemory

def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)

def connected(name):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(name)
        server.listen()
        client.connect(name)

async def served():
    async def answer(reader, writer):
        writer.close()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await reader.read()
        writer.close()

if __name__ == "__main__":
    faults = {}
    for name, code in json.loads(sys.argv[1]).items():
        try:
            exec(code)
        except Exception as error:
            faults[name] = repr(error)
    tell(faults)
"""


def attempt(bench, code, *arguments):
    return bench.run(TRY + textwrap.dedent(code), arguments=tuple(map(json.dumps, arguments)))


@pytest.mark.parametrize("counted", [False, True])
def test_what_notebooks_do_still_works(bench, counted):
    said = bench.run(TRY + DO, arguments=(json.dumps(USES),), processes=64, memory_bytes=2**30, counted=counted)
    assert said == {}


@pytest.mark.parametrize("counted", [False, True])
def test_children_that_nobody_wants_to_wait_for_stay_where_they_are_counted(bench, counted):
    """Else Linux takes them away as they end, and what they have used of the processors is on no account."""
    said = bench.run(
        """
        import signal
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        child = os.fork() or os._exit(0)
        try:
            tell([before == signal.SIG_DFL, os.waitpid(child, 0) == (child, 0)])
        except ChildProcessError:
            tell([before == signal.SIG_DFL, False])
        """,
        counted=counted,
    )
    assert said == [True, counted and bench.covers("privileges")]


def test_other_signals_can_be_caught_and_children_do_not_interrupt_where_they_are_counted(bubblewrap):
    said = bubblewrap.run(
        """
        import signal
        caught = []
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGALRM):
            signal.signal(number, lambda number, frame: caught.append(number))
            os.kill(os.getpid(), number)
        tell(caught == [signal.SIGUSR1, signal.SIGALRM])
        """,
        counted=True,
    )
    assert said


def test_every_call_of_the_table_is_refused(bubblewrap):
    numbers = {name: call[MACHINE] for name, call in syscalls.REFUSED.items()}
    said = attempt(
        bubblewrap,
        "tell({name: call(number, 0, 0, 0, 0, 0, 0) for name, number in json.loads(sys.argv[1]).items()})",
        numbers,
    )
    assert said == dict.fromkeys(numbers, errno.ENOSYS)


def test_it_is_the_filter_that_refuses_them(bench):
    """In a plain process Linux answers these itself: their addresses are wrong, or nothing is asked."""
    asked = [syscalls.REFUSED[name][MACHINE] for name in ("clone3", "mount", "memfd_create", "open_tree", "ptrace")]
    said = attempt(bench, "tell([call(number, 0, 0, 0, 0, 0, 0) for number in json.loads(sys.argv[1])])", asked)
    assert (set(said) == {errno.ENOSYS}) == bench.covers("privileges")
    assert (errno.ENOSYS in said) == bench.covers("privileges")


def test_no_namespace_comes_with_a_new_process(bubblewrap):
    flags = [flag for bit in range(32) if (flag := 1 << bit) & syscalls.CLONE_NEW]
    said = attempt(
        bubblewrap,
        """
        number, flags = json.loads(sys.argv[1])
        first, answers = os.getpid(), []
        for flag in flags:
            answers.append(call(number, flag, 0, 0, 0, 0))
            if os.getpid() != first:
                os._exit(0)  # a process that should not be there
        tell(answers)
        """,
        [syscalls.CLONE[MACHINE], [flag | SIGCHLD for flag in flags]],
    )
    assert said == [errno.ENOSYS] * 7


@pytest.mark.skipif(MACHINE != "x86_64", reason="there is one set of numbers")
def test_calls_have_one_number(bubblewrap):
    numbers = [GETPID, syscalls.OTHER_NUMBERS + GETPID]
    said = attempt(bubblewrap, "tell([call(number) for number in json.loads(sys.argv[1])])", numbers)
    assert said == [0, errno.ENOSYS]


@needs_landlock
def test_no_setting_of_linux_is_opened_for_writing(bubblewrap):
    """Those of the process itself included, which belong to it: nothing else keeps it from its own."""
    settings = ["uid_map", "gid_map", "setgroups", "oom_score_adj", "coredump_filter", "comm", "clear_refs", "mem"]
    said = attempt(
        bubblewrap,
        "tell([refused(os.open, f'/proc/self/{name}', os.O_WRONLY) for name in json.loads(sys.argv[1])])",
        settings,
    )
    assert said == ["EACCES"] * len(settings)


@needs_landlock
def test_the_first_process_is_neither_read_nor_written_nor_entered(bubblewrap):
    said = attempt(
        bubblewrap,
        """
        tell([
            *(refused(os.open, f"/proc/1/{name}", os.O_RDONLY) for name in ("environ", "mem", "maps", "auxv")),
            *(refused(os.readlink, f"/proc/1/{name}") for name in ("root", "cwd", "exe", "ns/user", "fd/0")),
            refused(os.open, "/proc/1/mem", os.O_RDWR),
        ])
        """,
    )
    assert set(said) <= {"EACCES", "EPERM"}


@needs_scopes
def test_the_first_process_is_not_signalled(bubblewrap):
    said = attempt(
        bubblewrap,
        """
        import signal
        tell([refused(os.kill, 1, number) for number in (0, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP)])
        """,
    )
    assert said == ["EPERM"] * 4


def test_a_folder_of_the_host_opens_nothing_even_when_it_is_handed_in(bench, tmp_path):
    """The first wall opened on purpose: what a descriptor that leaked, or an error in it, would give."""
    tmp_path.chmod(0o777)
    (tmp_path / "file").write_text("secret")
    (tmp_path / "file").chmod(0o666)
    process = bench.start_ready(
        TRY
        + textwrap.dedent(
            """
            import socket
            server = socket.socket(socket.AF_UNIX)
            server.bind(os.environ["BAREME_RUN"] + "/s")
            server.listen()
            ready()
            folder = socket.recv_fds(server.accept()[0], 1, 1)[1][0]
            tell([
                refused(lambda: os.open("file", os.O_RDONLY, dir_fd=folder)),
                refused(lambda: os.open("file", os.O_WRONLY, dir_fd=folder)),
                refused(lambda: os.open("new", os.O_WRONLY | os.O_CREAT, dir_fd=folder)),
                refused(lambda: os.mkdir("folder", dir_fd=folder)),
                refused(lambda: os.unlink("file", dir_fd=folder)),
                refused(lambda: os.listdir(f"/proc/self/fd/{folder}")),
            ])
            """
        )
    )
    folder = os.open(tmp_path, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(process.outside("run", "s"))
        socket.send_fds(client, [b"x"], [folder])
        os.close(folder)
        bench.wait(process.wait_fd())
    process.end()
    assert bench.told(process) == ["EACCES" if bench.covers("landlock") else None] * 6
