"""The pipeline of `reference.rag.pipeline` as LangChain components, with the same results.

Covers a retriever and a chain retriever | prompt | model | parser. LangChain is imported by the functions, not by this
module, and this module is not imported by its package. Not covered: streaming, callbacks, asynchronous calls of our
own.
"""

from collections.abc import Callable, Sequence
from typing import Any

from reference.checked import checked
from reference.rag.chunk import Chunk
from reference.rag.citations import CitedAnswer, cite
from reference.rag.prompt import TEMPLATES, build_prompt, numbered_sources
from reference.rag.sentences import Language

__all__ = ["chunk_retriever", "rag_chain"]

REMEDY = "LangChain is not installed: pip install langchain-core"


@checked
def chunk_retriever(retrieve: Callable[[str], Sequence[Chunk]]) -> Any:
    """Make a search for chunks a LangChain retriever.

    Documents are the chunks in order: `page_content` is the chunk's text, `metadata` its start, end and source.

    Source: LangChain, `langchain_core.retrievers.BaseRetriever`.

    Args:
        retrieve: gives chunks for a question, the best first.
    Returns:
        A `BaseRetriever`.
    Raises:
        ImportError: langchain-core is not installed.

    Cost: that of `retrieve`.

    >>> retriever = chunk_retriever(lambda question: [Chunk("Le chat dort.", 0, 13)])
    >>> retriever.invoke("Qui dort ?")[0].metadata
    {'start': 0, 'end': 13, 'source': ''}
    """
    try:
        from langchain_core.documents import Document
        from langchain_core.retrievers import BaseRetriever
    except ImportError as error:
        raise ImportError(REMEDY) from error

    class ChunkRetriever(BaseRetriever):
        def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
            return [
                Document(chunk.text, metadata={"start": chunk.start, "end": chunk.end, "source": chunk.source})
                for chunk in retrieve(query)
            ]

    return ChunkRetriever()


@checked
def rag_chain(
    retriever: Any, model: Any, *, budget: int, count_tokens: Callable[[str], int], language: Language
) -> Any:
    """Chain retriever, prompt, model and parser: a question in, a `CitedAnswer` out.

    chain.invoke(question) equals `answer_question(question, …)` with the same search and the same model. The model
    reads the prompt's text, a chat model as one human message.

    Source: LangChain, `langchain_core.runnables.Runnable` (parts composed with |).
    Departs from it: a budget decides which documents are given.

    Args:
        retriever: a `BaseRetriever` or any runnable from a question to documents as `chunk_retriever` gives them.
        model: a language or chat model of LangChain.
        budget: tokens that the whole prompt may have.
        count_tokens: the model's tokens in a text.
        language: "fr" or "en", of the prompt and of the answer.
    Returns:
        A `Runnable`.
    Raises:
        ImportError: langchain-core is not installed.
        ValueError: when invoked, as `answer_question`.

    Cost: that of `answer_question`.

    >>> from langchain_core.language_models import FakeListLLM
    >>> retriever = chunk_retriever(lambda question: [Chunk("Le chat dort.", 0, 13)])
    >>> model = FakeListLLM(responses=["Le chat [1]."])
    >>> chain = rag_chain(retriever, model, budget=500, count_tokens=len, language="fr")
    >>> chain.invoke("Qui dort ?").sources[0].text
    'Le chat dort.'
    """
    try:
        from langchain_core.output_parsers import StrOutputParser
        from langchain_core.prompts import PromptTemplate
        from langchain_core.runnables import RunnableLambda, RunnablePassthrough
    except ImportError as error:
        raise ImportError(REMEDY) from error

    def fit(state: dict[str, Any]) -> tuple[Chunk, ...]:
        chunks = [Chunk(document.page_content, **document.metadata) for document in state["documents"]]
        question = state["question"]
        return build_prompt(question, chunks, budget=budget, count_tokens=count_tokens, language=language).chunks

    def parse(state: dict[str, Any]) -> CitedAnswer:
        return cite(state["answer"], state["chunks"], language=language)

    evidence = {"question": RunnablePassthrough(), "documents": retriever}
    prompt = PromptTemplate.from_template(TEMPLATES[language])
    return (
        RunnablePassthrough()
        | evidence
        | RunnablePassthrough.assign(chunks=fit)
        | RunnablePassthrough.assign(sources=lambda state: numbered_sources(state["chunks"]))
        | RunnablePassthrough.assign(answer=prompt | model | StrOutputParser())
        | RunnableLambda(parse)
    )
