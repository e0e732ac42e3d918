"""RAPL over a tree of files like that of /sys/class/powercap."""

import os

import pytest

from harness.errors import InfrastructureError
from harness.metrics import energy
from harness.metrics.energy.estimate import Estimate
from harness.metrics.energy.meters import Unreadable
from harness.metrics.energy.rapl import Rapl
from harness.metrics.energy.settings import choose
from harness.records import Text

RANGE = 262_143_328_850  # microjoules, of an Intel server
GRID = energy.Grid(50.0, Text("ici", "here"), 2024, "the test")


@pytest.fixture
def powercap(tmp_path):
    """Two packages; the first has cores and memory below it. Beside them what must not be counted."""

    def zone(folder, name, energy_uj=0, range_uj=RANGE):
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        for file, value in (("name", name), ("energy_uj", energy_uj), ("max_energy_range_uj", range_uj)):
            (path / file).write_text(f"{value}\n")
        return path / "energy_uj"

    (tmp_path / "intel-rapl").mkdir()
    zone("intel-rapl:0", "package-0", 1_000_000)
    zone("intel-rapl:0:0", "core", 500_000)
    zone("intel-rapl:0:1", "dram", 2_000_000, range_uj=65_712_999_613)
    zone("intel-rapl:1", "package-1", RANGE - 1_000_000)
    zone("intel-rapl:2", "psys", 7)
    zone("intel-rapl-mmio:0", "package-0", 9)
    return tmp_path


def advance(powercap, folder, energy_uj):
    (powercap / folder / "energy_uj").write_text(f"{energy_uj}\n")


def test_packages_and_memory_are_added_over_a_counter_that_starts_again(powercap):
    meter = Rapl.found(powercap)
    meter.begin()
    advance(powercap, "intel-rapl:0", 4_000_000)  # 3 J
    advance(powercap, "intel-rapl:0:0", 400_000_000)  # cores are part of the package
    advance(powercap, "intel-rapl:0:1", 2_500_000)  # 0.5 J
    advance(powercap, "intel-rapl:1", 1_000_000)  # 2 J, over the end of its range
    advance(powercap, "intel-rapl:2", 900_000_000)
    advance(powercap, "intel-rapl-mmio:0", 900_000_000)
    assert meter.end(cpu_s=123.0) == pytest.approx(5.5)
    assert meter.facts[0].value == "package-0, dram, package-1"
    assert (meter.unit, meter.whole_machine) == ("J", True)


def test_what_was_counted_before_is_not_counted_again(powercap):
    meter = Rapl.found(powercap)
    advance(powercap, "intel-rapl:0", 4_000_000)
    meter.begin()
    assert meter.end(0.0) == 0.0


def test_no_zone_at_all(tmp_path):
    with pytest.raises(Unreadable, match="no RAPL zone"):
        Rapl.found(tmp_path)


def test_memory_without_a_package_is_no_meter(powercap):
    for folder in ("intel-rapl:0", "intel-rapl:1"):
        (powercap / folder / "name").write_text("psys\n")
    with pytest.raises(Unreadable, match="no RAPL zone"):
        Rapl.found(powercap)


@pytest.mark.parametrize("readable", [True, False])
def test_a_counter_for_root_alone_is_said_to_be_one(powercap, monkeypatch, readable):
    secret = powercap / "intel-rapl:1" / "energy_uj"
    refuse(monkeypatch, secret if not readable else None)
    if readable:
        assert Rapl.found(powercap)
    else:
        with pytest.raises(Unreadable, match=f"{secret} can be read by root alone"):
            Rapl.found(powercap)


def refuse(monkeypatch, secret):
    """Reading `secret` is refused, whoever runs the tests: root's own reads never are."""
    original = type(secret).read_text if secret is not None else None

    def read_text(path, *args, **options):
        if path == secret:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return original(path, *args, **options)

    if secret is not None:
        monkeypatch.setattr(type(secret), "read_text", read_text)


def test_a_zone_that_makes_no_sense_is_named(powercap):
    advance(powercap, "intel-rapl:1", "none")
    with pytest.raises(Unreadable, match="intel-rapl:1 cannot be read"):
        Rapl.found(powercap)


def test_a_counter_that_goes_away_is_no_score(powercap):
    meter = Rapl.found(powercap)
    meter.begin()
    (powercap / "intel-rapl:0" / "energy_uj").unlink()
    with pytest.raises(InfrastructureError, match="can no longer be read"):
        meter.end(0.0)


def test_without_counters_the_estimate_is_chosen_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(Rapl, "found", classmethod(lambda cls: _nothing(tmp_path)))
    meter = choose(energy.Settings(GRID, watts_per_core=5.0))
    assert isinstance(meter, Estimate)
    assert meter.end(2.0) == 10.0
    assert any(isinstance(fact.value, Text) and "no RAPL zone" in fact.value.en for fact in meter.facts)
    assert any("estimate" in fact.name.en and fact.value == 5.0 for fact in meter.facts)


ORIGINAL = Rapl.found.__func__


def _nothing(folder):
    return ORIGINAL(Rapl, folder)


def test_with_counters_they_are_chosen(powercap, monkeypatch):
    monkeypatch.setattr(Rapl, "found", classmethod(lambda cls: ORIGINAL(cls, powercap)))
    assert isinstance(choose(energy.Settings(GRID)), Rapl)
