"""Prompts, citations and the pipeline: against LangChain, exhaustive search and a parser by hand."""

import subprocess
import sys
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel, FakeListLLM
from langchain_core.prompts import PromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda

from reference.rag import (
    TEMPLATES,
    Chunk,
    answer_question,
    build_prompt,
    citation_numbers,
    cite,
    numbered_sources,
)
from reference.rag.langchain import chunk_retriever, rag_chain

DEFAULT = settings(derandomize=True, deadline=None, max_examples=100)
LANGUAGES = pytest.mark.parametrize("language", ["en", "fr"])


def chunks_of(*texts: str) -> list[Chunk]:
    return [Chunk(text, 100 * place, 100 * place + len(text), f"s{place}") for place, text in enumerate(texts)]


def words(text: str) -> int:
    return len(text.split())


@LANGUAGES
@pytest.mark.parametrize("texts", [[], ["un"], ["un {question}", "deux\n\ntrois {sources}", ""]])
def test_prompts_read_as_langchain_fills_them(language: str, texts: list[str], proof) -> None:
    chunks = chunks_of(*texts)
    sources = "\n\n".join("[" + str(place + 1) + "] " + text for place, text in enumerate(texts))
    proof(numbered_sources, "brute force").equal(numbered_sources(chunks), sources)
    prompt = build_prompt("Qui {dort} ?", chunks, budget=10_000, count_tokens=len, language=language)
    expected = PromptTemplate.from_template(TEMPLATES[language]).format(sources=sources, question="Qui {dort} ?")
    proof(build_prompt, "langchain PromptTemplate").equal(prompt.text, expected)
    assert prompt.chunks == tuple(chunks)


def test_each_language_has_its_words() -> None:
    french, english = (
        build_prompt("?", [], budget=10_000, count_tokens=len, language=one).text for one in ("fr", "en")
    )
    assert french.endswith("Question : ?\nRéponse :")
    assert english.endswith("Question: ?\nAnswer:")


def best_by_rank(sizes: list[int], room: int) -> list[int]:
    """Of all subsets that fit, the one that a list of who is in, by rank, puts last: who comes first counts most."""
    subsets = product([1, 0], repeat=len(sizes))  # in that order, the last first
    fits = (one for one in subsets if sum(size * taken for size, taken in zip(sizes, one, strict=True)) <= room)
    return [place for place, taken in enumerate(next(fits)) if taken]


@DEFAULT
@given(st.lists(st.integers(0, 6), max_size=6), st.integers(0, 30))
def test_the_budget_is_spent_by_rank(sizes: list[int], room: int) -> None:
    chunks = chunks_of(*(" ".join(["mot"] * size) for size in sizes))
    bare = words(build_prompt("Qui ?", [], budget=999, count_tokens=words, language="fr").text)
    prompt = build_prompt("Qui ?", chunks, budget=bare + room, count_tokens=words, language="fr")
    expected = best_by_rank([size + 1 for size in sizes], room)  # its number is a word, too
    assert prompt.chunks == tuple(chunks[place] for place in expected)
    assert words(prompt.text) <= bare + room


def test_the_budget_meets_its_authority(proof) -> None:
    sizes = [5, 9, 2, 7, 1, 3]
    chunks = chunks_of(*(" ".join(["mot"] * size) for size in sizes))
    bare = words(build_prompt("Qui ?", [], budget=999, count_tokens=words, language="fr").text)
    for room in range(35):
        prompt = build_prompt("Qui ?", chunks, budget=bare + room, count_tokens=words, language="fr")
        expected = [chunks[place] for place in best_by_rank([size + 1 for size in sizes], room)]
        proof(build_prompt, "exhaustive search").equal(list(prompt.chunks), expected)


def test_a_budget_below_the_bare_prompt_is_refused() -> None:
    bare = words(build_prompt("Qui ?", [], budget=999, count_tokens=words, language="fr").text)
    assert build_prompt("Qui ?", chunks_of("a"), budget=bare, count_tokens=words, language="fr").chunks == ()
    with pytest.raises(ValueError, match=f"budget: expected {bare} or more, .* got {bare - 1}"):
        build_prompt("Qui ?", chunks_of("a"), budget=bare - 1, count_tokens=words, language="fr")


def numbers_by_hand(text: str) -> list[int]:
    """Each [ up to the next bracket; what stands there, without white space, is numbers and single commas."""
    found = []
    for place, sign in enumerate(text):
        inside = text[place + 1 :].partition("]")[0]
        if sign == "[" and "]" in text[place:] and "[" not in inside:
            parts = [part.strip() for part in inside.split(",")]
            if all(part and all(digit in "0123456789" for digit in part) for part in parts):
                found += [int(part) for part in parts]
    return found


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.text("[],12 a-", max_size=14))
def test_citations_equal_a_parser_by_hand(text: str) -> None:
    assert citation_numbers(text) == numbers_by_hand(text)


def test_citations_meet_their_authority(proof) -> None:
    text = "a [1] b[2,3] [ 4 , 5 ] [] [6-7] [8;9] [[10]] [x] [11 12] [-1] [٣] [007] [1,] [,1] [13"
    proof(citation_numbers, "a parser by hand").equal(citation_numbers(text), numbers_by_hand(text))
    assert citation_numbers(text) == [1, 2, 3, 4, 5, 10, 7]


def test_statements_know_what_they_rest_on(proof) -> None:
    given = chunks_of("chat", "chien", "loup")
    parts = [
        ("[2] Le chien part.", (2,)),
        ("Le chat dort [1, 2], rêve [1] et ronfle.", (1, 2)),
        ("Il pleut.", ()),
        ("M. Seguin rit. [2]", (2,)),
        ("Fin", ()),
    ]
    text = " ".join(part for part, _ in parts)
    answer = cite(text, given, language="fr")
    found = [(statement.text, statement.cited) for statement in answer.statements]
    proof(cite, "an answer of known statements").equal(found, parts)
    assert all(text[one.start : one.end] == one.text for one in answer.statements)
    assert answer.sources == (given[1], given[0])
    assert [one.text for one in answer.unsupported] == ["Il pleut.", "Fin"]


@pytest.mark.parametrize(
    ("text", "number"), [("Oui [4].", 4), ("Oui [1, 0].", 0), ("[1] Oui. Non [99999999999].", 99999999999)]
)
def test_what_was_not_given_is_not_cited(text: str, number: int) -> None:
    with pytest.raises(ValueError, match=rf"answer: expected citations from 1 to 3, got \[{number}\]"):
        cite(text, chunks_of("a", "b", "c"), language="fr")
    with pytest.raises(ValueError, match="answer: expected no citation, none was given"):
        cite("Oui [1].", [], language="fr")


def test_an_empty_answer_has_no_statement() -> None:
    answer = cite(" \n", chunks_of("a"), language="en")
    assert answer.statements == answer.sources == answer.unsupported == ()


QUESTION = "Qui dort ?"
REPLIES = ["Le chat dort [2]. Le chien aussi [1, 2].", "Je ne sais pas.", ""]
MODELS = pytest.mark.parametrize("model", [FakeListLLM, FakeListChatModel])


@MODELS
@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("budget", [75, 90, 500])
@LANGUAGES
def test_the_chain_equals_the_pipeline(model, reply: str, budget: int, language: str, proof) -> None:
    chunks = chunks_of("Le chien dort au soleil.", "mot " * 100, "Le chat dort.", "Il pleut {ici}.")
    options = {"budget": budget, "count_tokens": words, "language": language}
    plain = answer_question(QUESTION, retrieve=lambda _: chunks, generate=lambda _: reply, **options)
    retriever = chunk_retriever(lambda _: chunks)
    chain = rag_chain(retriever, model(responses=[reply]), **options)
    assert isinstance(chain, Runnable)
    result = chain.invoke(QUESTION)
    proof(rag_chain, "answer_question").equal(result, plain)
    proof(answer_question, "langchain: retriever | prompt | model | parser").equal(plain, result)


@LANGUAGES
def test_the_chain_spends_the_budget_as_the_pipeline(language: str) -> None:
    chunks = chunks_of("mot " * 5, "mot " * 9, "mot", "mot " * 4)
    retriever, model = chunk_retriever(lambda _: chunks), FakeListLLM(responses=["Oui."])
    bare = words(build_prompt(QUESTION, [], budget=999, count_tokens=words, language=language).text)
    for budget in range(bare, bare + 25):
        options = {"budget": budget, "count_tokens": words, "language": language}
        plain = answer_question(QUESTION, retrieve=lambda _: chunks, generate=lambda _: "Oui.", **options)
        assert rag_chain(retriever, model, **options).invoke(QUESTION) == plain


def test_both_models_read_the_same_prompt() -> None:
    chunks, read = chunks_of("Le chat dort.", "Il pleut."), []

    def generate(prompt: str) -> str:
        read.append(prompt)
        return "Oui [2]."

    answer_question(
        QUESTION, retrieve=lambda _: chunks, generate=generate, budget=200, count_tokens=words, language="fr"
    )
    model = RunnableLambda(lambda value: generate(value.to_string()))
    chain = rag_chain(chunk_retriever(lambda _: chunks), model, budget=200, count_tokens=words, language="fr")
    assert chain.invoke(QUESTION).sources == (chunks[1],)
    assert read[0] == read[1] == build_prompt(QUESTION, chunks, budget=200, count_tokens=words, language="fr").text


def test_errors_pass_through_the_chain() -> None:
    retriever, model = chunk_retriever(lambda _: chunks_of("a")), FakeListLLM(responses=["Oui [2]."])
    with pytest.raises(ValueError, match=r"expected citations from 1 to 1, got \[2\]"):
        rag_chain(retriever, model, budget=200, count_tokens=words, language="fr").invoke(QUESTION)
    with pytest.raises(ValueError, match="budget: expected"):
        rag_chain(retriever, model, budget=2, count_tokens=words, language="fr").invoke(QUESTION)


def test_the_retriever_gives_documents(proof) -> None:
    chunks, asked = chunks_of("chat", "chien"), []
    retriever = chunk_retriever(lambda question: asked.append(question) or chunks)
    assert isinstance(retriever, BaseRetriever)
    expected = [
        Document("chat", metadata={"start": 0, "end": 4, "source": "s0"}),
        Document("chien", metadata={"start": 100, "end": 105, "source": "s1"}),
    ]
    proof(chunk_retriever, "langchain Document").equal(retriever.invoke(QUESTION), expected)
    assert asked == [QUESTION]


@pytest.mark.slow
def test_langchain_is_imported_by_those_who_use_it() -> None:
    code = "import sys, reference.rag.langchain; sys.exit('langchain_core' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_langchain_the_remedy_is_named(monkeypatch) -> None:
    for module in ("langchain_core.documents", "langchain_core.output_parsers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match="pip install langchain-core"):
        chunk_retriever(lambda _: [])
    with pytest.raises(ImportError, match="pip install langchain-core"):
        rag_chain(None, None, budget=1, count_tokens=len, language="fr")
