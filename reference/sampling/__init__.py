"""Sampling from a language model: choosing the next token, generating texts with and without a cache, beam search.

Covers any model that turns ids into logits, in float64. Not covered: prompts of different lengths in one batch,
speculative decoding, constrained generation.

One letter per dimension, the same in every signature: B batch, T positions, V vocabulary, K running texts of a search,
n any length.
"""

from reference.sampling.beam import Beam, beam_search
from reference.sampling.distribution import draw, greedy, log_probabilities, token_probabilities
from reference.sampling.generation import generate, generate_cached, generation_distribution
from reference.sampling.penalty import repetition_penalty
from reference.sampling.stopping import Stop
from reference.sampling.strategy import Strategy, choose, next_distribution
from reference.sampling.truncation import top_k, top_p, with_temperature

__all__ = [
    "Beam",
    "Stop",
    "Strategy",
    "beam_search",
    "choose",
    "draw",
    "generate",
    "generate_cached",
    "generation_distribution",
    "greedy",
    "log_probabilities",
    "next_distribution",
    "repetition_penalty",
    "token_probabilities",
    "top_k",
    "top_p",
    "with_temperature",
]
