"""Mistakes that students make, each put into the model answer, and the checks that it loses: those and no others."""

from typing import Any

import pytest

from harness.records import Outcome

RENORMALISED = """pass
    weights = softmax(scores)
    if mask is not None:
        weights = weights * mask
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-300)"""
# assignment -> (what the model answer says, what the student wrote, the checks that are then lost)
SLIPS = {
    "ngram": [
        ('wrapped = "." + name + "."\n        for', 'wrapped = "." + name\n        for', "bigram_counts"),
        ("counts[INDEX[first], INDEX[second]] += 1", "counts[INDEX[second], INDEX[first]] += 1", "bigram_counts"),
        ("counts[INDEX[first], INDEX[second]] += 1", "counts[INDEX[first], INDEX[second]] = 1", "bigram_counts"),
        (
            'for name in names:\n        wrapped = "." +',
            'for name in set(names):\n        wrapped = "." +',
            "bigram_counts",
        ),
        (
            'for name in names:\n        wrapped = "." +',
            'for name in filter(None, names):\n        wrapped = "." +',
            "bigram_counts_edges",
        ),
        (
            'for name in names:\n        wrapped = ".." +',
            'for name in filter(None, names):\n        wrapped = ".." +',
            "trigram_counts_edges",
        ),
        ('".." + name + "."', '"." + name + "."', "trigram_counts"),
        ("dtype=np.float64) + k", "dtype=np.float64)", "bigram_probabilities"),
        ("dtype=np.float64) + k", "dtype=np.float32) + k", "bigram_probabilities"),
        ("smoothed.sum(axis=1, keepdims=True)", "smoothed.sum(axis=0, keepdims=True)", "bigram_probabilities"),
        ("np.full_like(smoothed, 1 / len(smoothed))", "np.zeros_like(smoothed)", "bigram_probabilities_unseen"),
        ("np.full_like(smoothed, 1 / len(smoothed))", "np.full_like(smoothed, 1 / 40)", "bigram_probabilities_unseen"),
        ("k * len(ALPHABET)", "k", "trigram_probability"),
        ("return 1 / len(ALPHABET)", "return 0.0", "trigram_probability_unseen"),
        ("follower, 0) for follower in ALPHABET)", "follower, 0) for follower in ALPHABET[1:])", "trigram_probability"),
        (
            "(counts.get(context + symbol, 0) + k)",
            "(counts.get(context + symbol, 1) + k)",
            "trigram_probability_unseen",
        ),
        (
            "float(probabilities[INDEX[first], INDEX[second]])",
            "float(probabilities[INDEX[second], INDEX[first]])",
            "transition_table average_nll",
        ),
        ("return total / transitions", "return total / len(names)", "average_nll"),
        ("-math.log(probability) if", "-math.log2(probability) if", "average_nll"),
        (" if probability > 0 else math.inf", "", "average_nll_edges"),
        ("generator = random.Random(seed)", "generator = random.Random()", "sample_names"),
        ("generator = random.Random(seed)", "generator = random.Random(0)", "sample_names"),
        (", weights=row)", ")", "sample_names"),
        (
            ", weights=row)",
            ", weights=[weight > 0 for weight in row])",
            "sample_names_distribution sample_names_lengths",
        ),
        (
            ", weights=row)",
            ", weights=[weight**2 for weight in row])",
            "sample_names_distribution sample_names_lengths",
        ),
        ("len(name) < MAX_LENGTH", "len(name) < 29", "sample_names_lengths"),
        ("len(name) < MAX_LENGTH", "len(name) < 31", "sample_names"),
        (
            "        names.append(name)",
            "        names.append(name or names[-1] if names else name)",
            "sample_names_distribution sample_names_lengths",
        ),
        (
            "        names.append(name)",
            "        names.append(names[-1] if names and generator.random() < 0.5 else name)",
            "sample_names_distribution",
        ),
        ("    return names", "    return sorted(names)", "sample_names_distribution"),
    ],
    "attention": [
        ("scores - peak", "scores", "softmax_large scaled_dot_product_edges"),
        ("exponentials.sum(dim=-1", "exponentials.sum(dim=0", "softmax scaled_dot_product multi_head"),
        ("torch.zeros_like(peak), peak)", "peak, peak)", "softmax_masked scaled_dot_product_edges"),
        (
            "torch.where(totals == 0, torch.ones_like(totals), totals)",
            "totals",
            "softmax_masked scaled_dot_product_edges",
        ),
        (
            "torch.exp(scores - peak)",
            "torch.exp((scores - peak).float()).double()",
            "softmax scaled_dot_product multi_head",
        ),
        (".tril()", ".triu()", "causal_mask multi_head"),
        (".tril()", ".tril(-1)", "causal_mask multi_head"),
        ("torch.ones(n, n,", "torch.ones(max(n, 1), max(n, 1),", "causal_mask_lengths"),
        (" / math.sqrt(q.shape[-1])", "", "scaled_dot_product multi_head"),
        ("math.sqrt(q.shape[-1])", "q.shape[-1]", "scaled_dot_product multi_head"),
        ("math.sqrt(q.shape[-1])", "math.sqrt(v.shape[-1])", "scaled_dot_product_shapes scaled_dot_product_edges"),
        ("masked_fill(~mask", "masked_fill(mask", "scaled_dot_product multi_head"),
        ("scores.masked_fill(~mask, -math.inf)", "scores.masked_fill(~mask, -1e9)", "scaled_dot_product_edges"),
        ("range(n_heads)", "reversed(range(n_heads))", "multi_head"),
        ("slice(head * width, (head + 1) * width)", "slice(head, None, n_heads)", "multi_head"),
        (" @ w_o", "", "multi_head"),
        ("x @ w_q,", "x @ w_q.mT,", "multi_head"),
        ("mask = causal_mask(x.shape[1]) if causal else None", "mask = causal_mask(x.shape[1])", "multi_head"),
        ("for head in range(n_heads)", "for head in range(2)", "multi_head_heads"),
        (
            "scores = scores.masked_fill(~mask, -math.inf)\n    weights = softmax(scores)",
            RENORMALISED,
            "scaled_dot_product_edges multi_head_future",
        ),
    ],
}
CASES = [(slug, (right, wrong), lost) for slug, slips in SLIPS.items() for right, wrong, lost in slips]


@pytest.mark.parametrize(("slug", "slip", "lost"), CASES, ids=[f"{slug}-{slip[1].strip()}" for slug, slip, _ in CASES])
def test_a_slip_loses_the_checks_that_are_about_it(
    course: Any, solve: Any, mark: Any, slug: str, slip: tuple[str, str], lost: str
) -> None:
    assignment = course.assignment(slug)
    results = mark(assignment, solve(assignment, slip), seed=7)
    failed = {result.id for result in results.values() if result.outcome in {Outcome.FAILED, Outcome.ERROR}}
    assert failed == set(lost.split())
    skipped = {result.id for result in results.values() if result.outcome is Outcome.SKIPPED}
    assert {Outcome.PASSED} >= {result.outcome for id_, result in results.items() if id_ not in failed | skipped}


@pytest.mark.parametrize("seed", range(3))
def test_a_sampler_that_squares_its_weights_is_found_whatever_the_seed(
    course: Any, solve: Any, mark: Any, seed: int
) -> None:
    assignment = course.assignment("ngram")
    names = solve(assignment, (", weights=row)", ", weights=[weight**2 for weight in row])"))
    assert mark(assignment, names, seed=seed)["sample_names_distribution"].outcome is Outcome.FAILED


def test_the_smallest_failing_input_is_shown(course: Any, solve: Any, mark: Any) -> None:
    assignment = course.assignment("ngram")
    slip = ("counts[INDEX[first], INDEX[second]] += 1", "counts[INDEX[second], INDEX[first]] += 1")
    result = mark(assignment, solve(assignment, slip))["bigram_counts"]
    assert result.counterexample == "bigram_counts(['ab'])"  # one letter alone counts the same both ways round
    assert "expected" in result.message.en
