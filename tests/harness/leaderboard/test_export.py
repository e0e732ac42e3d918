"""leaderboard.json: its shape, no secret in it, the same bytes for the same boards."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from harness import leaderboard
from harness.leaderboard import Leaderboard, encode
from harness.records import Outcome, Status

SCHEMA = json.loads(Path(leaderboard.__file__).with_name("leaderboard.schema.json").read_text(encoding="utf-8"))


@pytest.fixture
def full(make: Any) -> Leaderboard:
    runs = (
        make.run(
            1,
            make.marked("ada-secret", "c", bits=make.metric(2.04, low=2.024, high=2.056), bits_private=2.1, energy=5.0),
        ),
        make.run(
            2, make.marked("ben-secret", bits=make.metric(2.51, low=2.494, high=2.526), bits_private=2.6, energy=2.0)
        ),
        make.run(3, make.marked("cleo-secret", bits=Outcome.FAILED), make.failing("dan-secret", Status.INFRASTRUCTURE)),
    )
    section = make.section(*runs, boards=(make.BITS,), fronts=(make.FRONT,))
    empty = make.section(make.run(1), boards=(make.PLAIN,))
    return Leaderboard("llm", False, (section, empty))


@pytest.mark.parametrize("names", [False, True])
def test_it_keeps_the_published_schema(full: Leaderboard, names: bool) -> None:
    content = json.loads(encode(full if names else full.anonymous()))
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(content)
    content["assignments"][0]["boards"][0]["entries"][0]["sha256"] = "cc"
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(content)


def test_it_says_what_the_boards_say(full: Leaderboard) -> None:
    board = json.loads(encode(full.anonymous()))["assignments"][0]["boards"][0]
    assert board["measure"] == {
        "metric": "bits",
        "title": {"fr": "Mesure bits", "en": "Measure bits"},
        "unit": "bits/byte",
        "better": "lower",
        "step": 0.01,
    }
    assert (board["split"], board["baseline"], board["oracle"]) == ("public", 3.0, 2.0)
    assert board["entries"] == [
        {"rank": 1, "shared": False, "name": "ADA-SECRET", "value": 2.04, "low": 2.02, "high": 2.06,
         "notebooks": 1, "runs": 1},
        {"rank": 2, "shared": False, "name": "BEN-SECRET", "value": 2.51, "low": 2.49, "high": 2.53,
         "notebooks": 1, "runs": 1},
    ]  # fmt: skip
    assert board["unranked"] == [
        {"name": "CLEO-SECRET", "reason": "refused", "retry": False},
        {"name": "DAN-SECRET", "reason": "infrastructure", "retry": True},
    ]
    front = json.loads(encode(full.anonymous()))["assignments"][0]["fronts"][0]
    assert [(point["name"], point["dominated"]) for point in front["points"]] == [
        ("ADA-SECRET", False), ("BEN-SECRET", False),
    ]  # fmt: skip


def test_what_is_published_has_no_name_no_seed_no_fingerprint_and_no_private_figure(full: Leaderboard) -> None:
    text = encode(full.anonymous()).decode()
    assert "secret" not in text  # pseudonyms are in capitals here
    for hidden in ("c" * 64, "f00d", str(0xC0FFEE_123456789), "c0ffee", "bits_private", "2.1", "2.6"):
        assert hidden not in text.lower()
    assert encode(full).decode().count("-secret") == 6  # entries, unranked, points


def test_the_same_boards_are_the_same_bytes(full: Leaderboard) -> None:
    assert encode(full) == encode(full)
    assert encode(full).endswith(b"}\n")


def test_any_reader_takes_any_name(make: Any) -> None:
    odd = "\udcff\0\u2028</script>"
    content = encode(Leaderboard("llm", False, (make.section(make.run(1, make.marked(odd, bits=2.0))),)))
    assert json.loads(content.decode())["assignments"][0]["boards"][0]["entries"][0]["student"] == odd
