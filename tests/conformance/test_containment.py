"""What a program can see and reach: network, files, processes, the grader, other sandboxes."""

import os
import secrets
import socket
from pathlib import Path

import pytest

from harness.sandbox import proc

WRITABLE = ["/dev/shm", "/home/student", "/run", "/tmp"]
FIND_CANARY = """
    canary = sys.argv[1] + sys.argv[2]  # in two parts, so that the command line itself is not found
    found = []
    def look(path, reading):
        if canary in path:
            found.append(path)
        elif reading and os.path.isfile(path):
            try:
                with open(path, "rb") as file:
                    if canary.encode() in file.read(65536):
                        found.append(path)
            except OSError:
                pass
    for top, folders, names in os.walk("/"):
        if top.startswith(("/sys", "/usr", "/proc/sys")):
            folders[:] = [] if top != "/" else folders
            continue
        if top.count("/") == 2 and top.startswith("/proc/"):
            folders[:] = []
        for name in names + folders:
            look(os.path.join(top, name), top.startswith(("/etc", "/home", "/tmp", "/run", "/proc", "/bareme")))
    tell(found)
"""


def test_network_is_out_of_reach(bench):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"\0bareme-{secrets.token_hex(8)}"
        abstract.bind(name)
        abstract.listen()
        reached = bench.run(
            """
            import socket
            def reach(family, address):
                try:
                    with socket.socket(family) as client:
                        client.connect(address)
                except OSError:
                    return False
                return True
            tell([reach(socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))), reach(socket.AF_UNIX, "\\0" + sys.argv[2])])
            """,
            arguments=(str(server.getsockname()[1]), name[1:]),
        )
    assert reached == [not bench.covers("network")] * 2


def test_no_interface_but_loopback(bubblewrap):
    interfaces, resolved = bubblewrap.run(
        """
        import socket
        try:
            resolved = socket.getaddrinfo("example.org", 80)
        except OSError:
            resolved = None
        tell([[name for _, name in socket.if_nameindex()], resolved])
        """
    )
    assert interfaces == ["lo"]
    assert resolved is None


@pytest.mark.slow
def test_canaries_of_the_grader_are_not_found(bubblewrap, tmp_path, monkeypatch):
    canary = f"canary-{secrets.token_hex(8)}"
    (tmp_path / canary).write_text(canary)
    (tmp_path / "innocent").write_text(canary)
    Path("/dev/shm", canary).write_text(canary)
    monkeypatch.setenv("BAREME_CANARY", canary)
    monkeypatch.chdir(tmp_path)
    try:
        found = bubblewrap.run(FIND_CANARY, arguments=(canary[:8], canary[8:]))
    finally:
        Path("/dev/shm", canary).unlink()
    assert found == []


@pytest.mark.slow
def test_the_search_for_canaries_does_find_them(bubblewrap):
    found = bubblewrap.run(
        FIND_CANARY, arguments=("cana", "ry-7"), files={"canary-7.txt": b"", "notes.txt": b"canary-7"}
    )
    assert {"/home/student/canary-7.txt", "/home/student/notes.txt"} <= set(found)


def test_a_file_of_the_host(bench, tmp_path):
    canary = tmp_path / "canary"
    canary.write_text("secret")
    seen = bench.run("tell([os.path.exists(path) for path in sys.argv[1:]])", arguments=(str(canary), str(Path.cwd())))
    assert seen == [not bench.covers("filesystem")] * 2


def test_only_the_packages_asked_for_can_be_imported(bench):
    found = bench.run(
        """
        from importlib.util import find_spec
        names = ("numpy", "harness", "reference", "assignments", "reports", "pytest", "pip", "setuptools")
        tell([name for name in names if find_spec(name)])
        """,
        packages=("numpy",),
    )
    assert found == ["numpy"]


def test_numpy_works(bench):
    total = bench.run("import numpy; tell(float((numpy.eye(3) @ numpy.ones(3)).sum()))", packages=("numpy",))
    assert total == 3.0


@pytest.mark.slow
def test_writable_places_are_the_four_with_a_size(bubblewrap):
    writable = bubblewrap.run(
        """
        def writable(folder):
            try:
                with open(folder + "/new", "x"):
                    return True
            except OSError:
                return False
        folders = [top for top, _, _ in os.walk("/") if not top.startswith(("/proc", "/sys"))]
        assert len(folders) > 100
        tell(sorted(top for top in folders if writable(top)))
        """
    )
    assert writable == WRITABLE


@pytest.mark.parametrize("path", ["notes.txt", "/bareme/main.py"])
def test_given_files_cannot_be_changed(bubblewrap, path):
    refused = bubblewrap.run(
        """
        def refused(change):
            try:
                change()
            except OSError:
                return True
            return False
        path = sys.argv[1]
        tell([refused(change) for change in (
            lambda: open(path, "w"), lambda: os.chmod(path, 0o666), lambda: os.unlink(path),
            lambda: os.rename(path, path + "2"), lambda: os.truncate(path, 0),
        )])
        """,
        arguments=(path,),
        files={"notes.txt": b"given"},
    )
    assert refused == [True] * 5


def test_devices_can_be_used(bubblewrap):
    used = bubblewrap.run(
        """
        with open("/dev/null", "wb") as null, open("/dev/urandom", "rb") as random:
            used = null.write(random.read(4))
        pair = os.openpty()
        os.write(pair[0], b"line\\n")
        tell([used, os.read(pair[1], 5).decode()])
        """
    )
    assert used == [4, "line\n"]


def test_times_of_devices_can_be_set_after_cold_starts_only(bubblewrap):
    """They are the host's own. bubblewrap offers no way of showing a device that can be used and not be changed."""
    changed = bubblewrap.run(
        """
        def changed(path):
            try:
                os.utime(path, None)
            except OSError:
                return False
            return True
        tell([name for name in ("full", "null", "random", "tty", "urandom", "zero") if changed("/dev/" + name)])
        """
    )
    assert changed == ([] if bubblewrap.name == "warm" else ["full", "null", "random", "tty", "urandom", "zero"])


def test_working_folder_holds_the_files_and_takes_new_ones(bench):
    contents = bench.run(
        """
        with open("data/new.txt", "w") as file:
            file.write("mine")
        tell([open("data/given.txt").read(), open("data/new.txt").read(), os.getcwd() == os.environ["HOME"]])
        """,
        files={"data/given.txt": b"theirs"},
    )
    assert contents == ["theirs", "mine", True]


def test_inside_and_outside_name_the_same_file(bench):
    process = bench.start_ready(
        """
        import time
        with open(os.environ["BAREME_RUN"] + "/x", "w") as file:
            file.write("hello")
        tell(file.name)
        ready()
        time.sleep(600)
        """
    )
    assert Path(process.outside("run", "x")).read_text() == "hello"
    assert process.inside("run", "x") == bench.told(process)
    assert len(process.outside("run", "kernel-control")) <= 107


def test_a_socket_in_the_run_folder_is_reached_from_outside(bench):
    process = bench.start_ready(
        """
        import socket
        server = socket.socket(socket.AF_UNIX)
        server.bind(os.environ["BAREME_RUN"] + "/s")
        server.listen()
        ready()
        server.accept()[0].send(b"hello")
        """
    )
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(process.outside("run", "s"))
        assert client.recv(5) == b"hello"


def test_never_root(bench):
    code = "import time; tell([os.getuid(), os.geteuid(), os.getgid()]); ready(); time.sleep(600)"
    process = bench.start_ready(code)
    program = max(pid for pid, _ in proc.walk(process.pid))
    on_the_host = Path(f"/proc/{program}").stat().st_uid
    if bench.covers("root"):
        assert 0 not in bench.told(process)
        assert on_the_host != 0
    else:
        assert on_the_host == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user has one number only")
def test_started_by_root_each_has_a_number_of_its_own(bubblewrap):
    processes = [bubblewrap.start_ready("import time; ready(); time.sleep(600)") for _ in range(2)]
    owners = {Path(process.outside("work", "")).stat().st_uid for process in processes}
    assert len(owners) == (1 if bubblewrap.name == "warm" else 2)  # all of one fork server are one user
    assert 0 not in owners


def test_no_privileges(bubblewrap):
    status = bubblewrap.run("tell(open('/proc/self/status').read())")
    values = dict(line.split(":\t", 1) for line in status.splitlines())
    assert [int(values[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
    assert values["NoNewPrivs"] == "1"


def test_no_namespaces_mounts_or_roots_of_its_own(bubblewrap):
    answers = bubblewrap.run(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        user, mount = 0x10000000, 0x00020000
        tell([
            libc.unshare(user), libc.unshare(mount), libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
            libc.chroot(b"/tmp"), libc.umount2(b"/proc", 2), libc.sethostname(b"x", 1), libc.setuid(0),
        ])
        """
    )
    assert answers == [-1] * 7


def test_limits_of_other_processes_are_not_its_own_to_set(bubblewrap):
    """PID 1 is of the same user: with a second of CPU time it would end, and look like the end of a fork server."""
    refused = bubblewrap.run(
        """
        import resource
        child = os.fork()
        if child == 0:
            os.read(os.pipe()[0], 1)
        def refused(process):
            try:
                resource.prlimit(process, resource.RLIMIT_CPU, (1, 1))
            except OSError:
                return True
            return False
        tell([refused(1), refused(child), refused(0)])
        """
    )
    assert refused == [True, True, False]


def test_no_socket_leads_out_of_its_network(bubblewrap):
    """A socket of family VSOCK reaches the host of a virtual machine from within any network namespace."""
    families = bubblewrap.run(
        """
        import socket
        def made(family):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
                try:
                    socket.socket(family, kind).close()
                except OSError:
                    continue
                return True
            return False
        tell([family for family in range(64) if made(family)])
        """
    )
    assert families == [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK]


def test_the_grader_is_out_of_reach(bench):
    reached = bench.run(
        """
        grader = int(sys.argv[1])
        try:
            os.kill(grader, 0)
            signalled = True
        except OSError:
            signalled = False
        tell([signalled, os.path.exists(f"/proc/{grader}/cmdline")])
        """,
        arguments=(str(os.getpid()),),
    )
    assert reached == [not bench.covers("privileges")] * 2


def test_descriptors_that_one_keeps_on_their_way_hold_nobody_up(bubblewrap):
    """Linux counts them for each user; whoever marks as an ordinary user is the same user as the students' code."""
    bubblewrap.start_ready(
        """
        import array, socket, time
        kept = [socket.socketpair() for _ in range(20)]
        try:
            for sending, _ in kept:
                sending.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 250))])
        except OSError:
            ready()
        time.sleep(600)
        """
    )
    assert bubblewrap.run("tell('started')") == "started"


def test_only_its_own_processes_are_seen(bubblewrap):
    bubblewrap.start_ready("import time; ready(); time.sleep(600)")
    assert bubblewrap.run("tell(sorted(name for name in os.listdir('/proc') if name.isdigit()))") == ["1", "2"]


def test_two_sandboxes_share_no_folder(bench):
    first = bench.start_ready(
        """
        import time
        for folder in (".", os.environ["TMPDIR"], os.environ["BAREME_RUN"]):
            open(folder + "/left-behind", "w").close()
        ready()
        time.sleep(600)
        """
    )
    found = bench.run(
        """
        folders = (".", os.environ["TMPDIR"], os.environ["BAREME_RUN"])
        tell([os.path.exists(folder + "/left-behind") for folder in folders])
        """
    )
    assert first.running()
    assert found == [False] * 3


def test_environment_is_rebuilt(bench, monkeypatch):
    monkeypatch.setenv("BAREME_SEED", "7")
    environment = bench.run("tell(dict(os.environ))", environment={"MPLBACKEND": "agg"})
    own = {"BAREME_READY_FD", "BAREME_RUN", "HOME", "LANG", "PATH", "TMPDIR", "USER"}
    threads = {"MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    assert set(environment) - {"PWD", "LC_CTYPE"} == own | threads | {"MPLBACKEND"}


def test_nothing_of_the_grader_in_the_first_process(bubblewrap, monkeypatch):
    monkeypatch.setenv("BAREME_SEED", "7")
    seen = bubblewrap.run(
        """
        def read(name):
            try:
                return open(f"/proc/1/{name}").read()
            except PermissionError:
                return ""
        tell([read("environ"), read("cmdline")])
        """
    )
    assert seen[0] in {"", "PWD=/\0"}
    assert str(Path.cwd()) not in seen[1]


def test_no_descriptor_but_the_ready_pipe(bench):
    with socket.create_server(("127.0.0.1", 0)) as server:
        os.set_inheritable(server.fileno(), True)
        descriptors = bench.run(
            """
            def is_open(number):
                try:
                    os.fstat(number)
                except OSError:
                    return False
                return True
            tell(sorted({number for number in range(1024) if is_open(number)} - {int(os.environ["BAREME_READY_FD"])}))
            """
        )
    assert descriptors == [0, 1, 2]


def test_standard_input_is_empty(bench):
    assert bench.run("tell(sys.stdin.read())") == ""


def test_isolated_python(bench):
    flags, arguments, shadowed = bench.run(
        """
        from importlib.util import find_spec
        flags = [sys.flags.safe_path, sys.flags.no_user_site, sys.flags.dont_write_bytecode]
        flags += [not any(name.startswith("PYTHON") for name in os.environ)]
        tell([flags, sys.argv[1:], find_spec("shadow") is not None])
        """,
        arguments=("a", "b"),
        files={"shadow.py": b""},
    )
    assert flags == [1, 1, 1, 1]
    assert arguments == ["a", "b"]
    assert not shadowed  # files of the working folder cannot stand in for modules unless the program asks for it
