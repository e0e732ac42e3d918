"""Mistakes that students make, each put into the model answer, and the checks that it loses: those and no others."""

from typing import Any

import pytest

from harness.records import Outcome

pytestmark = pytest.mark.slow
RENORMALISED = """pass
    weights = softmax(scores)
    if mask is not None:
        weights = weights * mask
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-300)"""
# checks of attention that come from the weights of `scaled_dot_product`, and those in which a query may look nowhere
WEIGHTED = "scaled_dot_product multi_head cross_attention grouped_query cached_multi_head"
BLIND = "scaled_dot_product_edges cross_attention_memory grouped_query_groups"
# Checks that train a model: seconds each, and they call nothing of the cells before
TRAINED = {"train_mlp", "neural_bits"}
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
        ("shuffled[2 * tenth :], shuffled", "shuffled[: len(names) - 2 * tenth], shuffled", "split_names"),
        ("random.Random(seed).shuffle", "random.Random(0).shuffle", "split_names"),
        (
            "random.Random(seed).shuffle(shuffled)",
            "rest = shuffled[3:]\n    random.Random(seed).shuffle(rest)\n    shuffled[3:] = rest",
            "split_names_distribution",
        ),
        (
            "random.Random(seed).shuffle(shuffled)",
            "start = random.Random(seed).randrange(len(names) + 1)\n    shuffled = names[start:] + names[:start]",
            "split_names_distribution",
        ),
        ("wrapped = [0] * n + [INDEX", "wrapped = [0] + [INDEX", "context_windows"),
        (
            "np.array(contexts, dtype=np.int64).reshape(-1, n)",
            "np.array(contexts, dtype=np.int64)",
            "context_windows_edges",
        ),
        ("scores -= scores.max(axis=1, keepdims=True)", "pass", "linear_loss_edges"),
        ("scores -= scores.max(axis=1, keepdims=True)", "scores -= scores.max()", "linear_loss_edges"),
        ("np.log(totals[:, 0])", "np.log2(totals[:, 0])", "linear_loss"),
        ("one_hot.T @ errors / n_examples", "one_hot.T @ errors", "linear_loss"),
        ("tanh(d + x @ H.T)", "tanh(0 * d + x @ H.T)", "mlp_logits"),
        ("if loss < smallest:", "if loss:", "train_mlp"),
        (
            "if loss < smallest:",
            "if step <= 5 * len(targets) // N_BATCH:",  # five times through the names, whatever validation says
            "train_mlp",
        ),
        ("torch.Generator().manual_seed(seed)", "torch.Generator().manual_seed(0)", "train_mlp"),
        ("torch.Generator().manual_seed(seed)", "torch.default_generator", "neural_bits"),
        ("range(N_STEPS + 1)", "range(1)", "neural_bits"),
    ],
    "attention": [
        ("scores - peak", "scores", "softmax_large scaled_dot_product_edges"),
        ("totals = exponentials.sum(dim=-1", "totals = exponentials.sum(dim=0", f"softmax {WEIGHTED}"),
        ("torch.zeros_like(peak), peak)", "peak, peak)", f"softmax_masked {BLIND}"),
        ("torch.where(totals == 0, torch.ones_like(totals), totals)", "totals", f"softmax_masked {BLIND}"),
        ("torch.exp(scores - peak)", "torch.exp((scores - peak).float()).double()", f"softmax {WEIGHTED}"),
        (".tril()", ".triu()", "causal_mask multi_head cached_multi_head"),
        (".tril()", ".tril(-1)", "causal_mask multi_head cached_multi_head"),
        ("torch.ones(n, n,", "torch.ones(max(n, 1), max(n, 1),", "causal_mask_lengths"),
        ("< lengths[:, None]", "<= lengths[:, None]", "padding_mask"),
        ("torch.arange(n) < lengths", "torch.arange(len(lengths)) < lengths", "padding_mask"),
        ("(distance < window)", "(distance <= window)", "sliding_window_mask"),
        ("(distance >= 0) & ", "", "sliding_window_mask"),
        ("distance < window", "distance < min(window, 9)", "sliding_window_mask_edges"),
        (" / math.sqrt(q.shape[-1])", "", f"{WEIGHTED} tiled_attention"),
        ("math.sqrt(q.shape[-1])", "q.shape[-1]", f"{WEIGHTED} tiled_attention"),
        (
            "math.sqrt(q.shape[-1])",
            "math.sqrt(v.shape[-1])",
            "scaled_dot_product_shapes scaled_dot_product_edges grouped_query_groups tiled_attention_edges",
        ),
        (
            "masked_fill(~mask",
            "masked_fill(mask",
            "scaled_dot_product multi_head grouped_query cached_multi_head cross_attention_memory",
        ),
        ("scores.masked_fill(~mask, -math.inf)", "scores.masked_fill(~mask, -1e9)", BLIND),
        ("range(n_heads)", "reversed(range(n_heads))", "multi_head"),
        ("slice(head * width, (head + 1) * width)", "slice(head, None, n_heads)", "multi_head"),
        (" @ w_o", "", "multi_head cross_attention cached_multi_head"),
        ("x @ w_q,", "x @ w_q.mT,", "multi_head cached_multi_head"),
        ("mask = causal_mask(x.shape[1]) if causal else None", "mask = causal_mask(x.shape[1])", "multi_head"),
        ("for head in range(n_heads)", "for head in range(2)", "multi_head_heads"),
        (
            "scores = scores.masked_fill(~mask, -math.inf)\n    weights = softmax(scores)",
            RENORMALISED,
            "scaled_dot_product_edges multi_head_future",
        ),
        ("heads(memory @ w_v)", "heads(memory @ w_k)", "cross_attention"),
        ("heads(memory @ w_v), mask)", "heads(memory @ w_v), None)", "cross_attention_memory"),
        (
            "unflatten(-1, (n_heads, -1)).transpose(1, 2)\n\n",
            "unflatten(-1, (-1, n_heads)).movedim(-1, 1)\n\n",
            "cross_attention",
        ),
        ("shared.repeat_interleave(sharers, dim=1)", "shared.repeat(1, sharers, 1, 1)", "grouped_query"),
        (")[-x.shape[1] :]", ")[: x.shape[1]]", "cached_multi_head"),
        ("torch.cat([cache[0], keys], dim=1)", "torch.cat([keys, cache[0]], dim=1)", "cached_multi_head"),
        ("mask = causal_mask(keys.shape[1])[-x.shape[1] :]", "mask = None", "cached_multi_head_steps"),
        ("@ w_o, (keys, values)", "@ w_o, (x @ w_k, x @ w_v)", "cached_multi_head"),
        ("mixture = kept * mixture", "mixture = mixture", "tiled_attention"),
        ("total = kept * total", "total = total", "tiled_attention"),
        ("torch.maximum(peak, scores.amax(dim=-1, keepdim=True))", "torch.zeros_like(peak)", "tiled_attention_edges"),
        ("if causal:", "if False:", "tiled_attention"),
        ("(peak + torch.log(total))", "torch.log(total)", "tiled_attention"),
    ],
}
CASES = [(slug, (right, wrong), lost) for slug, slips in SLIPS.items() for right, wrong, lost in slips]


@pytest.mark.parametrize(("slug", "slip", "lost"), CASES, ids=[f"{slug}-{slip[1].strip()}" for slug, slip, _ in CASES])
def test_a_slip_loses_the_checks_that_are_about_it(
    course: Any, solve: Any, mark: Any, slug: str, slip: tuple[str, str], lost: str
) -> None:
    assignment = course.assignment(slug)
    results = mark(assignment, solve(assignment, slip), seed=7, but=TRAINED - set(lost.split()))
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
    check = "sample_names_distribution"
    assert mark(assignment, names, seed=seed, only=[check])[check].outcome is Outcome.FAILED


def test_the_smallest_failing_input_is_shown(course: Any, solve: Any, mark: Any) -> None:
    assignment = course.assignment("ngram")
    slip = ("counts[INDEX[first], INDEX[second]] += 1", "counts[INDEX[second], INDEX[first]] += 1")
    result = mark(assignment, solve(assignment, slip), only=["bigram_counts"])["bigram_counts"]
    assert result.counterexample == "bigram_counts(['ab'])"  # one letter alone counts the same both ways round
    assert "expected" in result.message.en
