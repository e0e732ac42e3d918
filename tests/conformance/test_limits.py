"""What a program may use: memory, CPU time, processes, disk, descriptors. Each limit is reached on purpose."""

import gc
from contextlib import suppress
from pathlib import Path

import pytest

from harness.records import Outcome

MIB = 2**20
STEP_BY_STEP = "kept = []\nwhile True:\n    kept.append(bytearray(8 << 20))"
BY_FORK = """
    import time
    for _ in range(8):
        if os.fork() == 0:
            kept = bytearray(64 << 20)
            time.sleep(600)
    time.sleep(600)
"""
SHARED = """
    import mmap, time
    kept = mmap.mmap(-1, 512 << 20)
    for start in range(0, len(kept), mmap.PAGESIZE):
        kept[start] = 1
    time.sleep(600)
"""


def test_one_absurd_allocation_fails_at_once(bench):
    said = bench.run(
        """
        try:
            kept = bytearray(8 << 30)
        except MemoryError:
            tell("refused")
        """
    )
    assert said == "refused"


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [STEP_BY_STEP, BY_FORK, SHARED], ids=["step by step", "by fork", "shared"])
def test_memory_bombs(bench, bomb):
    process = bench.ended(bomb)
    assert process.exceeded() is Outcome.MEMORY
    assert process.usage().peak_memory_bytes > 256 * MIB


def test_memory_that_no_look_would_see_is_refused(bubblewrap):
    answers = bubblewrap.run(
        """
        import ctypes, errno, platform
        libc = ctypes.CDLL(None, use_errno=True)
        def refused(call, *arguments):
            return call(*arguments) == -1 and ctypes.get_errno() == errno.ENOSYS
        uring = 425  # the same number on every machine
        tell([refused(libc.memfd_create, b"x", 0), refused(libc.shmget, 0, 1 << 20, 0o1600),
              refused(libc.msgget, 0, 0o1600), refused(libc.semget, 0, 1, 0o1600), refused(libc.syscall, uring, 1, 0)])
        """
    )
    assert answers == [True] * 5


@pytest.mark.slow
def test_shared_memory_counts_once(bench):
    process = bench.start_ready(
        """
        import mmap, time
        kept = mmap.mmap(-1, 96 << 20)
        pipe = os.pipe()
        for _ in range(6):
            if os.fork() == 0:
                for start in range(0, len(kept), mmap.PAGESIZE):
                    kept[start] = 1
                os.write(pipe[1], b".")
                time.sleep(600)
        for _ in range(6):
            os.read(pipe[0], 1)
        ready()
        time.sleep(600)
        """
    )
    used = process.usage()
    assert used.processes == 7
    assert 96 * MIB <= used.memory_bytes < 256 * MIB
    assert process.running()
    assert process.exceeded() is None


@pytest.mark.slow
@pytest.mark.parametrize("first", ["", "for _ in range(3): os.fork()"], ids=["one process", "eight"])
def test_cpu_time_of_the_whole_tree(bench, first):
    process = bench.ended(f"{first}\nwhile True: pass", cpu_s=0.5)
    assert process.exceeded() is Outcome.TIMEOUT
    assert process.usage().cpu_s >= 0.5


@pytest.mark.slow
def test_cpu_time_of_children_that_nobody_waits_for(bench):
    process = bench.ended(
        """
        import signal, time
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            if os.fork() == 0:
                end = time.process_time() + 0.2
                while time.process_time() < end:
                    pass
                os._exit(0)
            try:
                os.wait()  # returns once no child is left, and adds up nothing
            except ChildProcessError:
                pass
        """,
        cpu_s=1.0,
    )
    assert process.exceeded() is Outcome.TIMEOUT


@pytest.mark.slow
def test_usage_is_what_was_used(bench):
    process = bench.start_ready(
        """
        import time
        kept = bytearray(os.urandom(64 << 20))
        while time.process_time() < 0.5:
            pass
        tell(time.process_time())
        ready()
        time.sleep(600)
        """
    )
    used = process.usage()
    assert used.cpu_s == pytest.approx(bench.told(process), abs=0.1)
    assert 64 * MIB <= used.memory_bytes <= 128 * MIB
    assert used.peak_memory_bytes >= used.memory_bytes
    assert used.processes == 1
    process.end()
    assert process.usage().cpu_s >= used.cpu_s


@pytest.mark.slow
def test_fork_bomb_meets_the_limit_of_the_system(bubblewrap):
    process = bubblewrap.start_ready(
        """
        import time
        number = 0
        while True:
            try:
                if os.fork() == 0:
                    time.sleep(600)
            except OSError:
                break
            number += 1
        tell(number)
        ready()
        time.sleep(600)
        """
    )
    assert bubblewrap.told(process) == 23  # and the program itself
    assert process.usage().processes == 24
    assert process.running()


@pytest.mark.slow
def test_threads_count_as_processes(bubblewrap):
    number = bubblewrap.run(
        """
        import threading, time
        number = 0
        try:
            while number < 100:
                threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
                number += 1
        except RuntimeError:
            pass
        tell(number)
        os._exit(0)
        """
    )
    assert number == 23


@pytest.mark.slow
def test_endless_fork_bomb_leaves_nothing(bubblewrap):
    process = bubblewrap.start(
        """
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
        cpu_s=1.0,
        arguments=("bomb-4711",),
    )
    bubblewrap.wait(process.wait_fd())
    process.end()
    assert process.exceeded() is Outcome.TIMEOUT
    assert bubblewrap.marked("bomb-4711") == []


@pytest.mark.slow
def test_more_processes_than_allowed_are_ended(bench):
    process = bench.ended(
        """
        import time
        try:
            for _ in range(60):
                if os.fork() == 0:
                    time.sleep(600)
            time.sleep(600)
        except OSError:
            tell("refused")
        """,
        arguments=("many-4711",),
    )
    if process.exceeded() is None:
        assert bench.told(process) == "refused"
    else:
        assert process.exceeded() is Outcome.CRASHED
    assert bench.marked("many-4711") == []


def test_files_that_are_given_take_nothing_from_the_disk(bubblewrap):
    left = bubblewrap.run(
        """
        found = os.statvfs(".")
        tell([os.stat("given").st_size, found.f_bavail * found.f_frsize])
        """,
        files={"given": bytes(12 * MIB)},
        disk_bytes=16 * MIB,
    )
    assert left[0] == 12 * MIB
    assert 7 * MIB < left[1] <= 8 * MIB + 8192  # half of the disk, as without files


def test_a_full_disk_is_an_error_inside(bubblewrap):
    written, errors = bubblewrap.run(
        """
        import errno
        written, errors = 0, []
        for folder in (".", "/tmp", "/dev/shm", "/run"):
            try:
                with open(folder + "/full", "wb", buffering=0) as file:
                    while True:
                        written += file.write(bytes(1 << 18))
            except OSError as error:
                errors.append(error.errno == errno.ENOSPC)
        tell([written, errors])
        """
    )
    assert errors == [True] * 4
    assert 15 * MIB <= written <= 16 * MIB


def test_one_file_has_a_limit(bench):
    said = bench.run(
        """
        import errno
        try:
            with open("big", "wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 20))
        except OSError as error:
            tell([errno.errorcode[error.errno], os.path.getsize("big") <= 16 << 20])
        """
    )
    assert said in (["ENOSPC", True], ["EFBIG", True])


def test_descriptors_run_out_inside(bench):
    said = bench.run(
        """
        import errno
        kept = []
        try:
            while True:
                kept.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            for descriptor in kept:
                os.close(descriptor)
            tell([errno.errorcode[error.errno], len(kept) < 1024])
        """
    )
    assert said == ["EMFILE", True]


def test_no_limit_can_be_raised(bubblewrap):
    assert (
        bubblewrap.run(
            """
        import resource
        def refused(name):
            limit = getattr(resource, name)
            try:
                resource.setrlimit(limit, (resource.getrlimit(limit)[0] + 1,) * 2)
            except (ValueError, OSError):
                return True
            return False
        names = ("RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE")
        tell([refused(name) for name in names])
        """
        )
        == [True] * 6
    )


def test_nobody_takes_all_that_linux_gives_to_their_user(bubblewrap):
    """Locked memory, message queues and waiting signals are counted for all sandboxes of a user together."""
    locked, queued, waiting = bubblewrap.run(
        """
        import ctypes, mmap, platform, resource, signal
        libc = ctypes.CDLL(None)
        libc.mmap.restype = ctypes.c_void_p
        size = ctypes.c_size_t(1 << 20)
        memory = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        locked = libc.mlock(ctypes.c_void_p(memory), size)
        mq_open = {"x86_64": 240, "aarch64": 180}[platform.machine()]
        queued = libc.syscall(mq_open, b"queue", os.O_CREAT | os.O_RDWR, 0o600, None)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
        waiting = 0
        while waiting < 20_000 and libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), None) == 0:
            waiting += 1
        tell([locked, queued, waiting])
        """
    )
    assert [locked, queued] == [-1, -1]
    assert 0 < waiting <= 1024


@pytest.mark.slow
def test_a_flood_on_the_error_stream_keeps_its_end_only(bench):
    process = bench.ended(
        """
        for _ in range(16):
            os.write(2, b"x" * (1 << 20))
        tell("the end")
        """
    )
    assert bench.told(process) == "the end"
    assert len(process.last_words()) == 8 * 1024


def test_the_grader_keeps_no_descriptor_of_a_sandbox_that_is_gone(bench):
    def pidfds():
        gc.collect()
        found = []
        for path in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # closed by another thread meanwhile
                found.append("pidfd" in str(path.readlink()))
        return sum(found)

    bench.run("tell(1)")  # a fork server that is started by this stays
    before = pidfds()
    for _ in range(5):
        bench.run("tell(1)")
    assert pidfds() > before
    bench.started.clear()
    assert bench.eventually(lambda: pidfds() <= before)  # once the watchdog has let go of them
