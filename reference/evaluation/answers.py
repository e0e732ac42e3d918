"""Exact match and token F1 of short answers, after the usual normalisation, in English and in French.

Not covered: other languages, paraphrases.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from reference.checked import checked
from reference.values import at_least

Language = Literal["en", "fr"]

ARTICLES = {"en": r"\b(a|an|the)\b", "fr": r"\b(un|une|des|le|la|les)\b"}
ELISION = re.compile(r"\bl['’]")  # the French article before a vowel: l'école


@checked
def normalise_answer(text: str, *, language: Language = "en") -> str:
    """Take away what does not change an answer: case, punctuation, articles, spare white space.

    In this order: composed Unicode (NFC), lower case, French l' removed, punctuation (Unicode's P, and ASCII's signs
    such as "$" and "+") removed, articles removed, runs of white space become one space.

    Source: Rajpurkar et al. 2016 (arXiv:1606.05250), section 6.1, and its evaluation script; Lewis et al. 2019
    (arXiv:1910.07475) for Unicode's punctuation; lm-evaluation-harness, french_bench, for the French articles.
    Departs from it: NFC; the French article before a vowel.

    Args:
        text: an answer.
        language: whose articles are removed.
    Raises:
        TypeError: another language.

    Cost: O(characters).

    >>> normalise_answer("The  Eiffel Tower!"), normalise_answer("L’école, une fois", language="fr")
    ('eiffel tower', 'école fois')
    """
    text = unicodedata.normalize("NFC", text).lower()
    if language == "fr":
        text = ELISION.sub("", text)
    text = "".join(symbol for symbol in text if not _punctuation(symbol))
    return " ".join(re.sub(ARTICLES[language], " ", text).split())


@checked
def exact_match(prediction: str, answers: Sequence[str], *, language: Language = "en") -> float:
    """Say whether the prediction is one of the accepted answers, once both are normalised: 1 or 0.

    Source: Rajpurkar et al. 2016 (arXiv:1606.05250), section 6.1.

    Args:
        prediction: what the model said.
        answers: what is accepted, one or more.
        language: see `normalise_answer`.
    Raises:
        TypeError: `answers` is a single text, whose letters would each be an answer.
        ValueError: no accepted answer.

    Cost: O(characters).

    >>> exact_match("The Seine.", ["Seine", "river Seine"]), exact_match("Rhône", ["Seine"])
    (1.0, 0.0)
    """
    _hold_answers(answers)
    accepted = {normalise_answer(answer, language=language) for answer in answers}
    return float(normalise_answer(prediction, language=language) in accepted)


@checked
def token_f1(prediction: str, answers: Sequence[str], *, language: Language = "en") -> float:
    """Say how many words the prediction shares with the nearest accepted answer.

    F1 = 2·P·R / (P + R), P and R the shares of the prediction's and of the answer's words that the other has too,
    counted as often as both have them. The best answer counts. Two empty texts: 1; one empty text: 0.

    Source: Rajpurkar et al. 2016 (arXiv:1606.05250), section 6.1; Rajpurkar et al. 2018 (arXiv:1806.03822) for empty
    answers.

    Args:
        prediction: what the model said.
        answers: what is accepted, one or more.
        language: see `normalise_answer`.
    Returns:
        Between 0 and 1.
    Raises:
        TypeError: `answers` is a single text, whose letters would each be an answer.
        ValueError: no accepted answer.

    Cost: O(characters).

    >>> token_f1("the river Seine", ["Seine"])      # P = 1/2, R = 1
    0.6666666666666666
    """
    _hold_answers(answers)
    predicted, *accepted = (normalise_answer(text, language=language).split() for text in (prediction, *answers))
    return max(_f1(predicted, words) for words in accepted)


def _hold_answers(answers: Sequence[str]) -> None:
    if isinstance(answers, str):
        raise TypeError(f"answers: expected a sequence of texts, got the text {answers!r}")
    at_least("number of answers", len(answers), 1)


def _f1(predicted: list[str], words: list[str]) -> float:
    if not predicted or not words:
        return float(predicted == words)
    return 2 * (Counter(predicted) & Counter(words)).total() / (len(predicted) + len(words))


def _punctuation(symbol: str) -> bool:
    return unicodedata.category(symbol).startswith("P") or symbol in "$+<=>^`|~"
