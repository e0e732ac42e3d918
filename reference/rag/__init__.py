"""Retrieval-augmented generation: cut texts, index and search them, fill a prompt, answer with citations.

Covers chunks that know their place (pages, windows of tokens, words or sentences, recursive separators), RAPTOR trees,
BM25, exact and approximate (HNSW) search, reciprocal-rank fusion, prompts within a budget of tokens, citations, and the
pipeline of all these; `reference.rag.langchain` is the same pipeline as LangChain components. Not covered: the models
that embed, summarise and generate, which are arguments; re-ranking models; storage.

One letter per dimension, the same in every signature: Q queries, N documents, vectors or nodes, D width of a vector,
K clusters, k results, n any length.
"""

from reference.rag.bm25 import BM25, bm25_scores
from reference.rag.chunk import Chunk
from reference.rag.citations import CitedAnswer, Statement, citation_numbers, cite
from reference.rag.clusters import principal_components, soft_clusters
from reference.rag.exact import inner_product_search
from reference.rag.fusion import reciprocal_rank_fusion
from reference.rag.hnsw import HNSW
from reference.rag.hnsw_fast import FastHNSW
from reference.rag.hnsw_levels import draw_levels, select_neighbours
from reference.rag.mixture import Mixture, bayesian_information, fit_mixture, initial_mixture, responsibilities
from reference.rag.pages import page_chunks
from reference.rag.pipeline import answer_question
from reference.rag.prompt import TEMPLATES, Prompt, build_prompt, numbered_sources
from reference.rag.ranking import top_k
from reference.rag.raptor import RaptorNode, RaptorTree, build_raptor, collapsed_search, traverse
from reference.rag.sentences import ABBREVIATIONS, sentence_spans
from reference.rag.separators import SEPARATORS, recursive_chunks
from reference.rag.windows import window_chunks, word_spans

__all__ = [
    "ABBREVIATIONS",
    "BM25",
    "HNSW",
    "SEPARATORS",
    "TEMPLATES",
    "Chunk",
    "CitedAnswer",
    "FastHNSW",
    "Mixture",
    "Prompt",
    "RaptorNode",
    "RaptorTree",
    "Statement",
    "answer_question",
    "bayesian_information",
    "bm25_scores",
    "build_prompt",
    "build_raptor",
    "citation_numbers",
    "cite",
    "collapsed_search",
    "draw_levels",
    "fit_mixture",
    "initial_mixture",
    "inner_product_search",
    "numbered_sources",
    "page_chunks",
    "principal_components",
    "reciprocal_rank_fusion",
    "recursive_chunks",
    "responsibilities",
    "select_neighbours",
    "sentence_spans",
    "soft_clusters",
    "top_k",
    "traverse",
    "window_chunks",
    "word_spans",
]
