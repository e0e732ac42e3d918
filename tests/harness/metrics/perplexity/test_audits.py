"""The audits themselves: how rarely they are wrong, what they see, and what a decoy gives away."""

from collections import Counter

import numpy as np
import pytest

from harness.errors import InfrastructureError
from harness.metrics.contract import Refused
from harness.metrics.perplexity import BytePairs, Bytes, Rules, StudentTokenizer, measure
from harness.metrics.perplexity.audits import surprise
from harness.metrics.perplexity.cuts import Passage, cuts_of_ids, cuts_of_words, word_ends
from harness.metrics.perplexity.measured import bits_per_byte
from harness.metrics.perplexity.runs import scorer_of
from harness.metrics.perplexity.scoring import Audited


@pytest.mark.slow
@pytest.mark.parametrize("draw", ["gamma", "ties", "heavy"])
def test_an_honest_model_is_refused_less_often_than_promised(draw) -> None:
    """At levels that a simulation can see; the bound is the same expression at 1e-7."""
    rng = np.random.default_rng(8)
    chances = []
    for _ in range(4000):
        losses = {
            "gamma": lambda: rng.gamma(1.0, 2.0, size=600),
            "ties": lambda: rng.integers(3, size=600).astype(float),
            "heavy": lambda: rng.pareto(0.8, size=600),
        }[draw]()
        chances.append(surprise(losses[rng.choice(600, 200, replace=False)], losses))
    for level in (0.1, 0.01, 0.001):
        assert np.mean(np.array(chances) <= level) <= level


@pytest.mark.slow
@pytest.mark.parametrize(("audits", "share"), [(200, 0.35), (500, 0.25), (1000, 0.15)])
def test_looking_ahead_at_this_share_of_positions_is_noticed_every_time(audits, share) -> None:
    """The table of docs/metrics/perplexity.md: 50 of 50."""
    rng = np.random.default_rng(9)
    for _ in range(50):
        losses = rng.gamma(1.0, 2.0, size=20_000)
        drawn = rng.choice(20_000, audits, replace=False)
        cheated = rng.random(20_000) < share
        cheated[drawn] = False  # nothing is known there when the answer is committed
        losses[cheated] = 0
        assert surprise(losses[drawn], losses) <= 1e-7


def test_a_bound_is_a_probability_and_says_nothing_without_a_comparison() -> None:
    losses = np.arange(10.0)
    assert surprise(losses, losses) == 1
    assert surprise(losses[:0], losses) == 1
    assert surprise(losses[:5], losses) == 1  # better than the rest is no reproach
    assert surprise(losses[5:], losses) < 0.3


def test_all_losses_at_the_top_are_as_rare_as_choosing_them(rng) -> None:
    """The exact probability is 1/C(600, 20); no bound may be below it."""
    from math import comb

    losses = np.arange(600.0)
    assert 1 / comb(600, 20) <= surprise(losses[-20:], losses) < 1e-20


def test_cuts_go_from_left_to_right_and_show_nothing_early(rng) -> None:
    passages = [Passage("", "abcdefghij" * 30), Passage("question ", "answer" * 5), Passage("", "x")]
    rules = Rules(context=32)
    seen: Counter[int] = Counter()
    last: dict[int, int] = {}
    for cuts in cuts_of_ids(passages, Bytes(), rules, rng):
        assert len({cut.passage for cut in cuts}) == len(cuts)
        for cut in cuts:
            whole = (passages[cut.passage].context + passages[cut.passage].text).encode()
            shown = cut.position - cut.window.begin + 1
            assert cut.position > last.get(cut.passage, -1)
            assert bytes([0, *whole])[cut.window.begin :][:shown] == bytes(cut.asked[:shown])
            assert len(cut.asked) == cut.window.end - cut.window.begin <= 32
            assert cut.position >= len(passages[cut.passage].context)
            last[cut.passage] = cut.position
            seen[cut.passage] += 1
    assert seen.total() == 200


def test_every_position_is_audited_where_there_are_few(rng) -> None:
    passages = [Passage("", "abc"), Passage("a", "bcd")]
    cuts = [cut for round_ in cuts_of_ids(passages, Bytes(), Rules(), rng) for cut in round_]
    assert [(cut.passage, cut.position) for cut in sorted(cuts, key=lambda cut: (cut.passage, cut.position))] == [
        (0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 3),
    ]  # fmt: skip


def test_positions_are_drawn_evenly() -> None:
    passages = [Passage("", "x" * 900), Passage("", "y" * 100)]
    counts = Counter(
        (cut.passage, cut.position // 100)
        for seed in range(60)
        for round_ in cuts_of_ids(passages, Bytes(), Rules(), np.random.default_rng(seed))
        for cut in round_
    )
    assert len(counts) == 10
    assert max(counts.values()) - min(counts.values()) < 5 * np.sqrt(60 * 100 * 0.2 * 0.8)  # 20 of 100 each time


def test_a_student_s_encode_sees_a_word_only_after_its_audit(rng) -> None:
    text = "the first word, then the others: one after another"
    shown: list[str] = []
    early: list[bool] = []
    pieces = [bytes([byte]) for byte in range(256)]

    class Watching(StudentTokenizer):
        def encode(self, given):
            shown.append(given)
            return list(given.encode())

    tokenizer = Watching(None, None, vocabulary_size=256)
    tokenizer.pieces = tuple(pieces)
    for cuts in cuts_of_words([Passage("", text)], tokenizer, Rules(), rng):
        (cut,) = cuts
        assert bytes(cut.asked[1 : cut.position + 1]).decode() == text[: cut.position]
        early.append(any(one.startswith(text[: cut.position + 6]) for one in shown))
    assert len(early) == 9
    assert sum(early) <= 2  # a decoy of nine words may begin with the true one by chance
    assert list(word_ends(Passage("", text)))[:3] == [0, 3, 9]


def test_a_tokenizer_whose_tokens_depend_on_what_follows_is_refused(asked, rng) -> None:
    """It reads the whole text to choose between two spellings of every space."""
    pieces = [*(bytes([byte]) for byte in range(256)), b"  "]
    letters = {piece: number for number, piece in enumerate(pieces)}

    def encode(text):
        if text.endswith("end."):  # only the true text does
            return BytePairs([*pieces, b"t", b"th"][:257]).encode(text)
        return [letters[bytes([byte])] for byte in text.encode()]

    own = StudentTokenizer(asked(encode), asked(lambda ids: pieces[ids[0]]), vocabulary_size=257)
    model = asked(lambda ids: np.zeros((len(ids), 257)))
    documents = ["a  b  " * 30 + "end."]
    with pytest.raises(Refused) as caught:
        measure(model, rng=rng, tokenizer=own, documents=documents)
    assert caught.value.reason == "unauditable"


@pytest.mark.parametrize(
    ("chance", "share", "words"),
    [(1e-6, 1.0, "less than once in 100,000"), (1.0, 0.2, "only 20 %"), (1e-3, 1.0, "")],
)
def test_what_is_too_little_to_be_refused_makes_a_person_look(asked, rng, chance, share, words) -> None:
    scorer = scorer_of(asked(lambda ids: np.zeros((len(ids), 256))), Bytes(), Rules(), rng)
    scored = scorer.score([Passage("", "abc"), Passage("", "defg")])
    audited = Audited(200, 3.0, 2.5, chance, share)
    found = bits_per_byte(scored, [3, 4], reported=8.0, audited=audited, rng=rng)
    assert (found.quarantine is None) == (not words)
    assert found.quarantine is None or words in found.quarantine.en


def test_another_figure_of_lm_eval_s_is_our_fault(asked, rng) -> None:
    scorer = scorer_of(asked(lambda ids: np.zeros((len(ids), 256))), Bytes(), Rules(), rng)
    scored = scorer.score([Passage("", "abc"), Passage("", "defg")])
    with pytest.raises(InfrastructureError, match=r"8\.01 bits per byte"):
        bits_per_byte(scored, [3, 4], reported=8.01, audited=None, rng=rng)
