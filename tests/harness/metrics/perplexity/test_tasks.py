"""lm-eval's tasks: texts, choices and exact answers, from files of an assignment and by published names."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ConfigurationError, InfrastructureError
from harness.metrics.contract import Refused
from harness.metrics.perplexity import Bytes, Characters, measure, tasks
from harness.metrics.perplexity.lm import ScoredLM
from harness.metrics.perplexity.rules import Rules
from harness.metrics.perplexity.runs import scorer_of
from harness.metrics.perplexity.scoring import Prompt

ROLLING = """
task: stories
dataset_path: json
dataset_kwargs: {data_files: {test: stories.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: story
metric_list: [{metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}]
"""
CHOICE = """
task: sounds
dataset_path: json
dataset_kwargs: {data_files: {test: sounds.json}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{animal}} says"
doc_to_choice: "{{sounds}}"
doc_to_target: "{{right}}"
target_delimiter: ""
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
EXACT = """
task: counting
output_type: generate_until
test_split: test
doc_to_text: question
doc_to_target: answer
generation_kwargs: {until: ["."], max_gen_toks: 20, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
LETTERS = "abcdefghijklmnopqrstuvwxyz ."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An assignment's folder with tasks and their data."""
    for name, text in (("stories", ROLLING), ("sounds", CHOICE), ("counting", EXACT)):
        (tmp_path / f"{name}.yaml").write_text(text)
    stories = ["once upon a time", "[not, a, list]\n", "  spaces stay  \n\n"]
    (tmp_path / "stories.jsonl").write_text("\n".join(json.dumps({"story": story}) for story in stories))
    sounds = [
        {"animal": "a cow", "sounds": [" moo", " woof"], "right": 0},
        {"animal": "a dog", "sounds": [" moo", " woof"], "right": 1},
        {"animal": "a bee", "sounds": [" b", " zzzzzzzzzz"], "right": 1},
    ]
    (tmp_path / "sounds.json").write_text(json.dumps(sounds))
    return tmp_path


def rows_of(weights: dict[str, str], size: int = 256):
    """A model that is nearly sure of one letter after another: `weights` maps a letter to what follows it."""
    table = np.full((size, size), 0.0)
    for left, right in weights.items():
        table[ord(left), [ord(letter) for letter in right]] = 4.0
    return lambda ids: table[np.asarray(ids)]


def test_a_task_of_texts_is_bits_per_byte_by_lm_eval_itself(asked, rng, folder) -> None:
    model = rows_of({"o": "n", "n": "c"})
    (found,) = measure(asked(model), rng=rng, tokenizer=Bytes(), task=folder / "stories.yaml")
    stories = ["once upon a time", "[not, a, list]\n", "  spaces stay  \n\n"]
    (ours,) = measure(asked(model), rng=rng, tokenizer=Bytes(), documents=stories)
    assert found.value == pytest.approx(ours.value, rel=1e-12)
    assert {fact.name.en: fact.value for fact in found.facts}["bytes"] == sum(map(len, stories))


def test_uniform_bytes_have_exactly_eight_bits_in_lm_eval_s_own_figure(asked, rng) -> None:
    """Of a text of 64 bytes: other lengths may differ in the last digit, by lm-eval's own rounding."""
    scorer = scorer_of(asked(lambda ids: np.zeros((len(ids), 256))), Bytes(), Rules(), rng)
    figures, _ = tasks.evaluate(tasks.of_documents(["x" * 40, "é" * 12]), ScoredLM(scorer))
    assert figures["bits_per_byte,none"] == 8


def test_choices_have_plain_and_normalised_accuracy(asked, rng, folder) -> None:
    """Likes "moo", and every z as little as any letter: the long right answer wins by length alone."""
    model = rows_of({" ": "mw", "m": "o", "o": "o", "w": "o", "z": "z"})
    plain, normalised = measure(asked(model), rng=rng, tokenizer=Bytes(), task=folder / "sounds.yaml")
    assert (plain.name, normalised.name) == ("acc", "acc_norm")
    assert plain.value == pytest.approx(1 / 3)  # moo for the cow and the dog, the short b for the bee
    assert normalised.value == pytest.approx(2 / 3)
    assert 0 < plain.low < plain.value < plain.high < 1
    assert {fact.name.en: fact.value for fact in plain.facts} == {"questions": 3}


def test_records_may_be_given_instead_of_files(asked, rng, folder) -> None:
    records = [{"animal": "a cow", "sounds": [" moo", " woof"], "right": 0}] * 4
    model = asked(rows_of({" ": "m"}))
    plain, _ = measure(model, rng=rng, tokenizer=Bytes(), task=folder / "sounds.yaml", documents=records)
    assert plain.value == 1
    assert plain.high == 1
    assert plain.low == pytest.approx(4 / (4 + 1.959964**2), rel=1e-6)  # Wilson: four of four is little evidence
    assert not list(folder.glob("*cache*"))


@pytest.mark.parametrize("rows", ["all", "last"])
def test_answers_are_generated_greedily_until_a_stop(asked, rng, folder, rows) -> None:
    following = dict(zip(LETTERS, LETTERS[1:] + "a", strict=True))
    table = np.zeros((28, 28))
    for left, right in following.items():
        table[LETTERS.index(left), LETTERS.index(right)] = 5.0
    function = (lambda ids: table[ids]) if rows == "all" else (lambda ids: table[ids[-1]])
    records = [{"question": "w", "answer": "xyz "}, {"question": "y", "answer": "z"}]
    options = {"task": folder / "counting.yaml", "documents": records, "rows": rows}
    (found,) = measure(asked(function), rng=rng, tokenizer=Characters(LETTERS), **options)
    assert found.name == "exact_match"
    assert found.value == 0.5  # "z " is not "z"


def test_generation_stops_at_the_limit_and_at_ids_without_text(asked, rng) -> None:
    def b_three_times(ids):
        return np.eye(5)[[1 if at < 3 else 4 for at in range(len(ids))]]

    scorer = scorer_of(asked(b_three_times), Characters("ab"), Rules(vocabulary_size=5), rng)
    prompts = [Prompt("", (), 2), Prompt("", (), 9), Prompt("", ("b",), 9), Prompt("a", (), 0)]
    assert scorer.greedy(prompts) == ["bb", "bbb", "", ""]


def test_generation_reads_no_more_than_the_context(asked, rng) -> None:
    lengths: list[int] = []

    def last(ids):
        lengths.append(len(ids))
        return np.eye(2)[[0] * len(ids)]

    scorer = scorer_of(asked(last), Characters("ab"), Rules(context=4), rng)
    assert scorer.greedy([Prompt("abba", (), 5)]) == ["aaaaa"]
    assert max(lengths) == 4


def test_choices_are_audited_too(asked, rng, folder) -> None:
    def looks(ids):
        rows = np.zeros((len(ids), 256))
        rows[np.arange(len(ids) - 1), ids[1:]] = 9
        return rows

    with pytest.raises(Refused, match="target_in_key"):
        measure(asked(looks), rng=rng, tokenizer=Bytes(), task=folder / "sounds.yaml")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("do_sample: false", "do_sample: true"), "do_sample"),
        (("metric: exact_match", "metric: bypass"), "none of the task's metrics"),
    ],
)
def test_tasks_that_cannot_be_marked_say_why(asked, rng, folder, change, problem) -> None:
    path = folder / "counting.yaml"
    path.write_text(path.read_text().replace(*change))
    records = [{"question": "w", "answer": "x"}]
    with pytest.raises(ConfigurationError, match=problem):
        measure(asked(lambda ids: np.zeros((len(ids), 256))), rng=rng, tokenizer=Bytes(), task=path, documents=records)


def test_missing_files_and_unknown_names(asked, rng, folder) -> None:
    model = asked(lambda ids: np.zeros((len(ids), 256)))
    (folder / "sounds.json").unlink()
    for task, problem in (
        (folder / "nothing.yaml", "is not there"),
        (folder / "sounds.yaml", "holds no records"),
        ("no such task", "has no task 'no such task'"),
        ("mmlu", "has no task 'mmlu'"),  # a group of 57
    ):
        with pytest.raises(ConfigurationError, match=problem):
            measure(model, rng=rng, tokenizer=Bytes(), task=task)
    with pytest.raises(ConfigurationError, match="no records"):
        measure(model, rng=rng, tokenizer=Bytes(), task=folder / "stories.yaml", documents=["a"])


@pytest.mark.parametrize("name", ["hellaswag", "wikitext", "arc_challenge"])
def test_published_tasks_are_found_by_name(name) -> None:
    assert f"task: {name}\n" in tasks.published(name).read_text()


def test_without_a_hub_a_published_task_is_our_fault(asked, rng, monkeypatch, tmp_path) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    model = asked(lambda ids: np.zeros((len(ids), 256)))
    with pytest.raises(InfrastructureError, match="data of the task hellaswag cannot be fetched") as caught:
        measure(model, rng=rng, tokenizer=Bytes(), task="hellaswag")
    assert "hub" in caught.value.remedy


def test_a_published_task_takes_records_too(asked, rng) -> None:
    """Its prompt and its metrics, on questions of one's own."""
    record = {
        "choices": ["x", "y"],
        "activity_label": "cooking",
        "ctx_a": "a cook",
        "ctx_b": "stirs",
        "endings": ["the soup", "the moon"],
        "label": "0",
    }
    found = measure(asked(rows_of({})), rng=rng, tokenizer=Bytes(), task="hellaswag", documents=[record] * 2)
    assert [one.name for one in found] == ["acc", "acc_norm"]


def test_lm_eval_is_asked_for_when_it_is_missing(asked, rng, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    monkeypatch.delitem(sys.modules, "harness.metrics.perplexity.lm")
    monkeypatch.delattr("harness.metrics.perplexity.lm")
    with pytest.raises(ConfigurationError, match=r"lm_eval, which is not installed.*bareme\[metrics\]"):
        measure(asked(lambda ids: np.zeros((len(ids), 256))), rng=rng, tokenizer=Bytes(), documents="ab")


def test_a_self_check_starts_without_lm_eval() -> None:
    import subprocess

    code = "import sys, harness.metrics.perplexity; sys.exit(bool({'lm_eval', 'datasets'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_published_task_of_texts_counts_the_bytes_that_it_says(asked, rng) -> None:
    """wikitext is asked about a cleaned text, and counts the bytes of the page."""
    page = " = Title = \n the cat 's mat , and 1 @,@ 000 dogs "
    function = lambda ids: np.zeros((len(ids), 256))  # noqa: E731
    (found,) = measure(asked(function), rng=rng, tokenizer=Bytes(), task="wikitext", documents=[{"page": page}] * 2)
    facts = {fact.name.en: fact.value for fact in found.facts}
    assert facts["bytes"] == 2 * len(page)
    assert facts["tokens"] < facts["bytes"]
    assert found.value == pytest.approx(8 * facts["tokens"] / facts["bytes"])
