"""What the documents say is there: links, commands, options."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harness import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(cli.app).commands
SHOWN = [line.split("#")[0].strip() for line in re.findall(r"^bareme .*$", README, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_named_exist(page: Path) -> None:
    named = re.findall(
        r"`((?:harness|reports|reference|assignments|tests|docs)/[\w./-]+)`", page.read_text(encoding="utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("line", SHOWN)
def test_commands_of_the_readme_are_understood(line: str) -> None:
    """Each parses with its options and arguments; that they work is what the other tests of this folder show."""
    name, *arguments = shlex.split(line)[1:]
    command = COMMANDS[name]
    command.make_context(name, list(arguments))


def test_every_command_is_in_the_readme() -> None:
    named = {shlex.split(line)[1] for line in SHOWN}
    assert set(COMMANDS) - named == {"demo"}
    assert "make demo" in README


def test_every_option_of_grade_is_in_the_readme() -> None:
    options = {name for option in COMMANDS["grade"].params for name in option.opts if name.startswith("--")}
    assert {name for name in options if f"`{name}" not in README} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_explains_itself(name: str) -> None:
    shown = CliRunner().invoke(cli.app, [name, "--help"])
    assert shown.exit_code == 0
    assert [parameter.name for parameter in COMMANDS[name].params if not parameter.help] == []


def test_exit_codes_are_in_the_readme() -> None:
    assert "Exit codes: 0 done; 1 done, and something is below what was asked; 2 usage" in README
