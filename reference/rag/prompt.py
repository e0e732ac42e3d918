"""A prompt that holds as much evidence as a budget of tokens allows, in French or English.

Covers whole chunks, numbered from 1. Not covered: cutting or compressing chunks, chat messages, system prompts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference.checked import checked
from reference.rag.chunk import Chunk
from reference.rag.sentences import Language

# {sources} and {question} are filled once: braces inside them stay as they are
TEMPLATES: dict[str, str] = {
    "en": (
        "Answer the question from these sources alone. After each sentence, cite the sources that support it by their "
        "numbers, as in [1] or [1, 3]. If they do not hold the answer, say so.\n\n"
        "Sources:\n{sources}\n\nQuestion: {question}\nAnswer:"
    ),
    "fr": (
        "Réponds à la question à partir de ces seules sources. Après chaque phrase, cite par leurs numéros les sources "
        "qui l'appuient, comme [1] ou [1, 3]. Si elles ne contiennent pas la réponse, dis-le.\n\n"
        "Sources :\n{sources}\n\nQuestion : {question}\nRéponse :"
    ),
}


@dataclass(frozen=True)
class Prompt:
    """What a model reads, and the chunks in it: source [n] is `chunks[n - 1]`.

    Source: Lewis et al. 2020 (arXiv:2005.11401), section 2.3 (retrieved text and input are concatenated).
    Departs from it: several sources at once, numbered.

    >>> Prompt("[1] Le chat dort.", (Chunk("Le chat dort.", 0, 13),)).chunks[0].text
    'Le chat dort.'
    """

    text: str
    chunks: tuple[Chunk, ...]


@checked
def numbered_sources(chunks: Sequence[Chunk]) -> str:
    """Write chunks one below the other with the numbers by which they are cited.

    A line "[n] text" for each, n from 1, with an empty line in between. No chunk: an empty text.

    Source: Gao et al. 2023 (arXiv:2305.14627), section 4.2 (passages in the prompt, to be cited).
    Departs from it: no titles, no instructions.

    Args:
        chunks: the first is source 1.
    Raises:
        TypeError: a wrong type.

    Cost: O(N) for N characters.

    >>> numbered_sources([Chunk("un", 0, 2), Chunk("deux", 3, 7)])
    '[1] un\\n\\n[2] deux'
    """
    return "\n\n".join(f"[{number}] {chunk.text}" for number, chunk in enumerate(chunks, start=1))


@checked
def build_prompt(
    question: str,
    chunks: Sequence[Chunk],
    *,
    budget: int,
    count_tokens: Callable[[str], int],
    language: Language,
) -> Prompt:
    """Fill the prompt with whole chunks, by rank, as long as all of it is within the budget.

    Chunks are tried from the best to the worst. One that does not fit is left out, and the next ones are still tried:
    a long chunk does not cost the short ones behind it their place. Those that fit keep their order and are numbered
    anew. What counts is the whole prompt as it will be read, template and question included, since tokens can merge
    where texts meet. That no chunk fits is no error: the prompt then has no source.

    Source: Lewis et al. 2020 (arXiv:2005.11401), section 2.3; Dantzig 1957, Operations Research 5(2) (the greedy rule).
    Departs from it: a budget in tokens, not a number of passages; greedy by rank, not by value over size.

    Args:
        question: as asked.
        chunks: by rank, the best first.
        budget: tokens that the whole prompt may have.
        count_tokens: the model's tokens in a text, as `lambda text: len(tokenizer.encode(text))`.
        language: "fr" or "en": which of `TEMPLATES`.
    Raises:
        ValueError: the prompt without any chunk exceeds the budget.

    Cost: one call of `count_tokens` per chunk, and one.

    >>> words = lambda text: len(text.split())
    >>> chunks = [Chunk("a b", 0, 3), Chunk("c d e f", 4, 11), Chunk("g", 12, 13)]
    >>> empty = words(build_prompt("Qui ?", [], budget=99, count_tokens=words, language="fr").text)
    >>> given = build_prompt("Qui ?", chunks, budget=empty + 5, count_tokens=words, language="fr")
    >>> [chunk.text for chunk in given.chunks]                        # "[1] a b" and "[2] g" are five words
    ['a b', 'g']
    """
    bare = _filled(question, [], language)
    if (needed := count_tokens(bare)) > budget:
        raise ValueError(f"budget: expected {needed} or more, the tokens of the prompt without sources, got {budget}")
    text, given = bare, list[Chunk]()
    for chunk in chunks:
        longer = _filled(question, [*given, chunk], language)
        if count_tokens(longer) <= budget:
            text = longer
            given.append(chunk)
    return Prompt(text, tuple(given))


def _filled(question: str, chunks: Sequence[Chunk], language: Language) -> str:
    return TEMPLATES[language].format(sources=numbered_sources(chunks), question=question)
