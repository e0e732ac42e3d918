"""How good is a model, an answer, a ranking, a player: the measures of the course, from one definition each.

Covers likelihood (perplexity, bits per byte, rolling windows), multiple choice by log-likelihood, zero- and few-shot
prompts, exact match and F1 of answers, retrieval measures as trec_eval computes them, Elo and Bradley–Terry ratings,
scaling laws. Not covered: running a benchmark, generating text, significance tests.

One letter per dimension, the same in every signature: n scored tokens, T positions, V tokens of the vocabulary,
C choices, P players, R runs of a scaling study.
"""

from reference.evaluation.answers import exact_match, normalise_answer, token_f1
from reference.evaluation.bradley_terry import bradley_terry, bradley_terry_intervals, win_matrix
from reference.evaluation.choice import choose, continuation_log_probabilities
from reference.evaluation.elo import elo_expected_score, elo_ratings
from reference.evaluation.likelihood import bits_per_byte, perplexity, token_log_probabilities
from reference.evaluation.prompts import few_shot_prompt, zero_shot_prompt
from reference.evaluation.queries import mean_over_queries, rank_by_score
from reference.evaluation.retrieval import average_precision, ndcg, precision, recall, reciprocal_rank
from reference.evaluation.scaling_law import ScalingLaw, fit_scaling_law
from reference.evaluation.windows import rolling_windows

__all__ = [
    "ScalingLaw",
    "average_precision",
    "bits_per_byte",
    "bradley_terry",
    "bradley_terry_intervals",
    "choose",
    "continuation_log_probabilities",
    "elo_expected_score",
    "elo_ratings",
    "exact_match",
    "few_shot_prompt",
    "fit_scaling_law",
    "mean_over_queries",
    "ndcg",
    "normalise_answer",
    "perplexity",
    "precision",
    "rank_by_score",
    "recall",
    "reciprocal_rank",
    "rolling_windows",
    "token_f1",
    "token_log_probabilities",
    "win_matrix",
    "zero_shot_prompt",
]
