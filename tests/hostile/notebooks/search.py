"""A notebook that looks for secrets everywhere it can: files, environment, /proc, memory, objects, frames, the network.

A secret is told by its form, so that the notebook itself holds none but those of its own: they prove that each way of
looking finds what is there. It tells what it found in a cell, and, while a check calls it, in an error message.
"""

# %%
import gc
import glob
import json
import os
import re
import socket
import subprocess
import sys
import threading

OWN = "OWN_CANARY"
SECRET = re.compile(rb"c4n4ry-([a-z_]+)-[0-9a-f]{32}|(?<!\d)(7700770077)\d{20}(?!\d)")
CHUNK = 1 << 24
found = {}
looked_at = {"files": 0, "bytes of memory": 0, "objects": 0, "ports": 0}


def note(data, way):
    data = data.encode("utf-8", "replace") if isinstance(data, str) else data
    for match in SECRET.finditer(data):
        found.setdefault((match[1] or b"seed").decode(), set()).add(way)


def read(path, way, size=1 << 17):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        note(os.read(descriptor, size), way)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def search_files():
    for top, folders, names in os.walk("/"):
        if top == "/":
            folders[:] = [name for name in folders if name not in {"proc", "sys"}]
        for name in (*folders, *names):
            note(os.path.join(top, name), "name")
        for name in names:
            looked_at["files"] += 1
            read(os.path.join(top, name), "file")


def search_processes():
    for folder in glob.glob("/proc/[0-9]*"):
        for name in ("environ", "cmdline", "maps", "mountinfo", "status", "net/unix", "net/tcp", "stack", "syscall"):
            read(f"{folder}/{name}", "process", size=1 << 22)
        for link in (f"{folder}/cwd", f"{folder}/root", f"{folder}/exe", *glob.glob(f"{folder}/fd/*")):
            try:
                note(os.readlink(link), "process")
                if os.path.isdir(link):
                    note("\n".join(os.listdir(link)), "process")
                elif "/fd/" in link:
                    read(link, "process")
            except OSError:
                continue
        search_memory(folder)
    note("\n".join(f"{name}={value}" for name, value in os.environ.items()), "environment")


def search_memory(folder):
    try:
        memory, maps = open(f"{folder}/mem", "rb", buffering=0), open(f"{folder}/maps").read().splitlines()
    except OSError:
        return
    with memory:
        for line in maps:
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            for place in range(start, end, CHUNK):
                try:
                    memory.seek(place)
                    data = memory.read(min(CHUNK + 256, end - place))
                except (OSError, ValueError, OverflowError):
                    break
                looked_at["bytes of memory"] += len(data)
                note(data, "memory")


def search_objects():
    frame = sys._getframe()
    while frame is not None:
        for value in frame.f_locals.values():
            look(value, "frame")
        frame = frame.f_back
    gc.unfreeze()  # a forked kernel's collector does not look at what it inherited
    for holder in gc.get_objects():
        for value in gc.get_referents(holder):
            look(value, "object")


def look(value, way):
    looked_at["objects"] += 1
    if type(value) in (str, bytes, bytearray):
        note(value if type(value) is str else bytes(value), way)
    elif type(value) is int and 90 < value.bit_length() < 2000:
        note(str(value), way)


def search_network():
    for port in range(1, 65536):
        looked_at["ports"] += 1
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
                note(connection.recv(4096), "network")
        except OSError:
            continue
    for address in (("169.254.169.254", 80), ("1.1.1.1", 53)):
        try:
            socket.create_connection(address, timeout=0.5).close()
            found.setdefault("internet", set()).add("network")
        except OSError:
            continue
    try:
        socket.getaddrinfo("example.org", 80)
        found.setdefault("names", set()).add("network")
    except OSError:
        pass


def serve(text):
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            server.accept()[0].send(text)

    threading.Thread(target=answer, daemon=True).start()


def told():
    return json.dumps({label: sorted(ways) for label, ways in sorted(found.items())})


# %%
serve(OWN.replace("own_notebook", "own_server").encode())
child = subprocess.Popen(["/bin/sleep", "600"], env={"OWN": OWN.replace("own_notebook", "own_child")})
open("/tmp/" + OWN.replace("own_notebook", "own_name"), "w").close()
search_files()
search_processes()
search_objects()
search_network()
print(told())
print(json.dumps(looked_at))


# %%
def double(x):
    found.clear()
    search_objects()
    search_processes()
    raise RuntimeError(told())
