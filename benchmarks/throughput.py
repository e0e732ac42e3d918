"""How many notebooks a minute, by bareme and by others? The same cohort, marked by each; see docs/throughput.md.

    python benchmarks/throughput.py [--tools NAME…] [--notebooks 60] [--repeat 3] [--jobs N] [--peers FOLDER]
                                    [--assignments] [--out FILE] [--json]

Prints a dated table with the facts of the machine, and writes it to FILE. With --json the last line is one JSON object:
wall seconds a notebook of each of the five tools, and of bareme with its process in the background. Fails when a tool
has not marked every notebook as it must.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.throughput import bundled, rounds, table
from benchmarks.throughput.cohort import students
from benchmarks.throughput.peers import peer
from benchmarks.throughput.rounds import Contender
from benchmarks.throughput.tools import Bareme, BaremeHost, Nbclient, Nbgrader, Otter, own_seconds
from benchmarks.throughput.watch import Failed

HEADLINE = ("bareme_warm", "bareme_cold", "nbgrader", "otter", "nbclient", "bareme_host")
PEERS = Path(__file__).parents[1] / "build" / "peers"


def _bareme(options: argparse.Namespace) -> list[Contender]:
    jobs = options.jobs
    warm, cold, alone = Bareme("warm", jobs), Bareme("cold", jobs), Bareme("warm", 1)
    return [
        Contender("bareme_warm", f"`bareme grade --kernels warm --jobs {jobs}`", warm),
        Contender("bareme_cold", f"`bareme grade --kernels cold --jobs {jobs}`", cold),
        Contender("bareme_warm_1", "`bareme grade --kernels warm --jobs 1`", alone),
        Contender("bareme_first", "the same, its first notebook only", alone, first=1),
    ]


def _bareme_host(options: argparse.Namespace) -> list[Contender]:
    jobs = options.jobs
    said = "`bareme grade --kernels warm --jobs {}`, its process in the background left by an earlier run"
    return [
        Contender("bareme_host", said.format(jobs), BaremeHost("warm", jobs)),
        Contender("bareme_host_1", said.format(1), BaremeHost("warm", 1)),
    ]


def _nbgrader(options: argparse.Namespace) -> list[Contender]:
    tool = Nbgrader(peer("nbgrader", options.peers))
    return [
        Contender("nbgrader", "`nbgrader autograde`, started once", tool),
        Contender(
            "nbgrader_beside", f"the same, {options.jobs} side by side, a course each", tool, beside=options.jobs
        ),
    ]


def _otter(options: argparse.Namespace) -> list[Contender]:
    found, beside = peer("otter-grader", options.peers), options.jobs
    run, api = Otter(found, "run"), Otter(found, "api")
    return [
        Contender("otter", "`otter run` for each notebook", run),
        Contender("otter_beside", f"the same, {beside} side by side", run, beside=beside),
        Contender("otter_api", "`otter.api.grade_submission` for each, one process", api),
        Contender("otter_api_beside", f"the same, {beside} side by side", api, beside=beside),
    ]


def _nbclient(options: argparse.Namespace) -> list[Contender]:
    return [
        Contender("nbclient", "runs each notebook, marks nothing", Nbclient()),
        Contender("nbclient_beside", f"the same, {options.jobs} side by side", Nbclient(), beside=options.jobs),
    ]


FAMILIES: dict[
    tuple[str, ...], Callable[[argparse.Namespace], list[Contender]]
] = {  # names of rows, and what makes them
    ("bareme_warm", "bareme_cold", "bareme_warm_1", "bareme_first"): _bareme,
    ("bareme_host", "bareme_host_1"): _bareme_host,
    ("nbgrader", "nbgrader_beside"): _nbgrader,
    ("otter", "otter_beside", "otter_api", "otter_api_beside"): _otter,
    ("nbclient", "nbclient_beside"): _nbclient,
}
NAMES = tuple(name for names in FAMILIES for name in names)


def contenders(options: argparse.Namespace) -> list[Contender]:
    """Those that were asked for; only the virtual environments that they need are looked for."""
    makers = [make for names, make in FAMILIES.items() if set(names) & set(options.tools)]
    return [row for make in makers for row in make(options) if row.name in options.tools]


def arguments(line: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, checked. `line` is the command's own when left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--notebooks", type=int, default=60, help="size of the cohort (60)")
    parser.add_argument("--repeat", type=int, default=3, help="timed runs of each, after one that is not (3)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="side by side; as many as cores")
    parser.add_argument("--peers", type=Path, default=PEERS, help="virtual environments of the peers, made if missing")
    parser.add_argument("--assignments", action="store_true", help="the bundled cohorts too, by bareme warm and cold")
    parser.add_argument("--out", type=Path, help="file for the table")
    parser.add_argument("--json", action="store_true", help="end with one line: seconds a notebook of each tool")
    options = parser.parse_args(line)
    if min(options.notebooks, options.repeat, options.jobs) < 1:
        parser.error("--notebooks, --repeat and --jobs are at least 1")
    options.peers = options.peers.absolute()
    return options


def main() -> None:
    options = arguments()
    try:
        rows, cohort = contenders(options), students(options.notebooks)
        facts = table.facts()  # before: the load is that of others
        found = rounds.repeat(rows, cohort, times=options.repeat)
        own = own_seconds(cohort)
        assignments = bundled.repeat(jobs=options.jobs, times=options.repeat) if options.assignments else {}
    except Failed as error:
        sys.exit(f"throughput: {error}")
    command = "python benchmarks/throughput.py " + " ".join(sys.argv[1:])
    text = table.page(command.strip(), facts, rows, found, own, assignments)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps(table.headline(found, HEADLINE)))


if __name__ == "__main__":
    main()
