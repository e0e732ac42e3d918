"""Retrieval-augmented generation, end to end: retrieve, fill the prompt, generate, resolve the citations.

Retrieval and generation are callables: any search of this package and any model will do. Not covered: conversations.
"""

from collections.abc import Callable, Sequence

from reference.checked import checked
from reference.rag.chunk import Chunk
from reference.rag.citations import CitedAnswer, cite
from reference.rag.prompt import build_prompt
from reference.rag.sentences import Language


@checked
def answer_question(
    question: str,
    *,
    retrieve: Callable[[str], Sequence[Chunk]],
    generate: Callable[[str], str],
    budget: int,
    count_tokens: Callable[[str], int],
    language: Language,
) -> CitedAnswer:
    """Answer a question from what was retrieved, with citations.

    answer = cite(generate(prompt), chunks of the prompt), prompt = build_prompt(question, retrieve(question)).

    Source: Lewis et al. 2020 (arXiv:2005.11401), section 2.
    Departs from it: the parts are trained apart, sources share one prompt, and the answer cites them.

    Args:
        question: as asked.
        retrieve: gives chunks for a question, the best first.
        generate: gives the model's answer to a prompt.
        budget: tokens that the whole prompt may have.
        count_tokens: the model's tokens in a text.
        language: "fr" or "en", of the prompt and of the answer.
    Raises:
        ValueError: the prompt without sources exceeds the budget, or the answer cites what was not given.

    Cost: one retrieval, one generation, and what `build_prompt` and `cite` cost.

    >>> chunks = [Chunk("Le chat dort.", 0, 13)]
    >>> answer = answer_question(
    ...     "Qui dort ?", retrieve=lambda question: chunks, generate=lambda prompt: "Le chat [1].",
    ...     budget=200, count_tokens=lambda text: len(text.split()), language="fr",
    ... )
    >>> answer.sources == tuple(chunks)
    True
    """
    prompt = build_prompt(question, retrieve(question), budget=budget, count_tokens=count_tokens, language=language)
    return cite(generate(prompt.text), prompt.chunks, language=language)
