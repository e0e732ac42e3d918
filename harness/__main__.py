"""The command `bareme`: a run is handed over to the process in the background where that takes it, else done here.

Nothing is imported for a command that is handed over but what that takes.
Not covered: the commands (`cli`), how one is handed over (`host.command`).
"""

import sys

MAIN = ("harness.cli", "main")  # where whoever does it begins
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["grade"] and "--no-host" not in sys.argv:
        _hand_over()
    from harness import cli

    cli.main()


def _hand_over() -> None:
    """Do it by a stand-in, and end as that does; return where there is none."""
    from harness.errors import InfrastructureError
    from harness.host import ask, command

    if not ask.wanted("BAREME_HOST", default=True):
        return
    try:
        code = command.by_stand_in(MAIN)
    except ask.NotServed:  # if the user should know, the command says so itself, which asks for less
        return
    except InfrastructureError as error:
        sys.stderr.write(f"bareme: {error}\n")
        code = error.exit_code
    except KeyboardInterrupt:  # before there was anybody to pass it on to
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
