"""Prompts, against those that lm-eval builds for the same examples."""

import pytest
from datasets import Dataset, DatasetDict
from lm_eval.api.task import ConfigurableTask

from reference.evaluation import few_shot_prompt, zero_shot_prompt

EXAMPLES = [("Ciel ?", "bleu"), ("Herbe ?", "verte"), ("Sang ?", "rouge")]


def lm_eval_prompt(question: str, examples: list[tuple[str, str]], instruction: str, labels: tuple[str, str]) -> str:
    documents = [{"question": one, "answer": answer} for one, answer in (*examples, (question, "?"))]
    data = DatasetDict(test=Dataset.from_list(documents[-1:]), train=Dataset.from_list(documents))
    task = ConfigurableTask(
        config={
            "task": "prompt",
            "custom_dataset": lambda **_: data,
            "test_split": "test",
            "fewshot_split": "train",
            "fewshot_config": {"sampler": "first_n"},
            "output_type": "generate_until",
            "generation_kwargs": {"until": ["\n"]},
            "description": f"{instruction}\n\n" if instruction else "",
            "doc_to_text": f"{labels[0]} {{{{question}}}}\n{labels[1]}",
            "doc_to_target": "{{answer}}",
            "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        }
    )
    return task.fewshot_context(documents[-1], num_fewshot=len(examples))


@pytest.mark.parametrize("shots", [0, 1, 3])
@pytest.mark.parametrize("instruction", ["", "Réponds par une couleur."])
@pytest.mark.parametrize("labels", [("Q:", "A:"), ("Question :", "Réponse :")])
def test_prompts_are_those_of_lm_eval(shots, instruction, labels, proof) -> None:
    question, chosen = "Neige ?", EXAMPLES[:shots]
    theirs = lm_eval_prompt(question, chosen, instruction, labels)
    said = {"instruction": instruction, "question_label": labels[0], "answer_label": labels[1]}
    proof(few_shot_prompt, "lm-eval fewshot_context").equal(few_shot_prompt(question, chosen, **said), theirs)
    if not chosen:
        proof(zero_shot_prompt, "lm-eval fewshot_context").equal(zero_shot_prompt(question, **said), theirs)


@pytest.mark.parametrize(
    ("question", "examples", "message"),
    [
        (" ", [], "expected text, got ' '"),
        ("a?", [("b?", "")], "expected text, got ''"),
        ("a?", [("", "b")], "expected text, got ''"),
        ("a?", [("b?", "c"), ("a?", "d")], "expected other questions than the one asked, got 'a\\?'"),
    ],
)
def test_prompts_that_cannot_be(question, examples, message) -> None:
    with pytest.raises(ValueError, match=message):
        few_shot_prompt(question, examples)
