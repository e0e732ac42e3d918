"""Prompts without and with solved examples. Not covered: chat templates, choosing the examples."""

from collections.abc import Sequence

from reference.checked import checked

SEPARATOR = "\n\n"


@checked
def zero_shot_prompt(
    question: str, *, instruction: str = "", question_label: str = "Q:", answer_label: str = "A:"
) -> str:
    r"""Put a question so that the answer is what comes next.

    The prompt ends with the answer's label, without a space: tokenizers join the space to the answer's first word.

    Source: Brown et al. 2020 (arXiv:2005.14165), section 2 and figure 2.1.

    Args:
        question: what is asked.
        instruction: stands first, where there is one.
        question_label: stands before the question, such as "Question :" in French.
        answer_label: stands where the answer is to come, such as "Réponse :".
    Raises:
        ValueError: the question is empty or blank.

    Cost: O(characters).

    >>> zero_shot_prompt("2 + 2 ?", instruction="Calcule.", question_label="Question :", answer_label="Réponse :")
    'Calcule.\n\nQuestion : 2 + 2 ?\nRéponse :'
    """
    return few_shot_prompt(
        question, [], instruction=instruction, question_label=question_label, answer_label=answer_label
    )


@checked
def few_shot_prompt(
    question: str,
    examples: Sequence[tuple[str, str]],
    *,
    instruction: str = "",
    question_label: str = "Q:",
    answer_label: str = "A:",
) -> str:
    r"""Put a question after solved examples of the same form.

    instruction, then each example as "Q: question\nA: answer", then "Q: question\nA:", a blank line between them.

    Source: Brown et al. 2020 (arXiv:2005.14165), section 2 and figure 2.1.

    Args:
        question: what is asked.
        examples: (question, answer) pairs in the order in which they are shown; none: a zero-shot prompt.
        instruction: stands first, where there is one.
        question_label: stands before each question.
        answer_label: stands before each answer.
    Raises:
        ValueError: a question is empty or blank, an example's answer too, or the question is among the examples.

    Cost: O(characters).

    >>> few_shot_prompt("2 + 2?", [("1 + 2?", "3")])
    'Q: 1 + 2?\nA: 3\n\nQ: 2 + 2?\nA:'
    """
    _held(question, examples)
    solved = [f"{question_label} {one}\n{answer_label} {answer}" for one, answer in examples]
    parts = [instruction, *solved, f"{question_label} {question}\n{answer_label}"]
    return SEPARATOR.join(part for part in parts if part)


def _held(question: str, examples: Sequence[tuple[str, str]]) -> None:
    blank = [text for text in (question, *(text for example in examples for text in example)) if not text.strip()]
    if blank:
        raise ValueError(f"question and examples: expected text, got {blank[0]!r}")
    if question in {one for one, _ in examples}:
        raise ValueError(
            f"examples: expected other questions than the one asked, got {question!r}, which tells the answer"
        )
