"""Elo by replaying its formula; Bradley–Terry against scikit-learn's logistic regression, and closed forms."""

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from reference.evaluation import bradley_terry, bradley_terry_intervals, elo_expected_score, elo_ratings, win_matrix

TRUTH = np.array([1.2, 0.4, 0.0, -0.3, -1.3])


@pytest.fixture
def games(rng: np.random.Generator) -> list[tuple[int, int, float]]:
    """Three hundred games of five players, one in six drawn."""
    found = []
    for _ in range(300):
        i, j = (int(one) for one in rng.choice(5, size=2, replace=False))
        won = float(rng.random() < 1 / (1 + np.exp(TRUTH[j] - TRUTH[i])))
        found.append((i, j, 0.5 if rng.random() < 1 / 6 else won))
    return found


def test_elo_is_its_formula_replayed(games, proof) -> None:
    ratings = dict.fromkeys(range(6), 1500.0)
    for i, j, score in games:
        expected = 10 ** (ratings[i] / 400) / (10 ** (ratings[i] / 400) + 10 ** (ratings[j] / 400))
        proof(elo_expected_score, "odds 10^(R/400)").close(
            elo_expected_score(ratings[i], ratings[j]), expected, within=1e-14
        )
        ratings[i], ratings[j] = ratings[i] + 20 * (score - expected), ratings[j] + 20 * (expected - score)
    ours = elo_ratings(games, 6, k_factor=20.0, start=1500.0)
    proof(elo_ratings, "brute force").close(ours, list(ratings.values()), within=1e-12)
    assert ours[5] == 1500.0  # never played
    assert ours.sum() == pytest.approx(6 * 1500.0, abs=1e-9)


def test_elo_of_far_apart_ratings() -> None:
    assert elo_expected_score(1e9, 0.0) == 1.0
    assert elo_expected_score(0.0, 1e9) == 0.0
    assert elo_expected_score(1e9, 1e9) == 0.5
    with pytest.raises(ValueError, match=r"expected a number, got nan - 0\.0"):
        elo_expected_score(math.nan, 0.0)


@pytest.mark.parametrize("rate", [elo_ratings, win_matrix])
@pytest.mark.parametrize(
    ("game", "message"),
    [
        ((0, 0, 1.0), "got 0 against 0"),
        ((0, 2, 1.0), "from 0 to 1, got 0 against 2"),
        ((-1, 0, 1.0), "got -1 against 0"),
        ((0, 1, 0.7), "0.5 or 1, got 0.7"),
    ],
)
def test_games_that_cannot_be(rate, game, message) -> None:
    with pytest.raises(ValueError, match=message):
        rate([game], 2)


def test_win_matrix_counts_points(games, proof) -> None:
    counted = [
        [
            sum(s for a, b, s in games if (a, b) == (i, j)) + sum(1 - s for a, b, s in games if (b, a) == (i, j))
            for j in range(5)
        ]
        for i in range(5)
    ]
    proof(win_matrix, "brute force").close(win_matrix(games, 5), counted, within=0.0)


def test_strengths_are_the_coefficients_of_a_logistic_regression(games, proof) -> None:
    wins = win_matrix(games, 5)
    rows, outcomes, weights = [], [], []
    for i in range(5):
        for j in range(5):
            if wins[i, j]:
                rows.append([float(i == player) - float(j == player) for player in range(1, 5)])  # player 0 anchors
                outcomes.append(1)
                weights.append(wins[i, j])
                rows.append([-value for value in rows[-1]])
                outcomes.append(0)
                weights.append(wins[i, j])
    model = LogisticRegression(C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-14)
    strengths = np.concatenate([[0.0], model.fit(rows, outcomes, sample_weight=weights).coef_[0]])
    proof(bradley_terry, "scikit-learn LogisticRegression").close(
        bradley_terry(wins), strengths - strengths.mean(), within=1e-12
    )


def test_two_players_have_a_closed_form(proof) -> None:
    for won, lost in ((1.0, 1.0), (3.0, 1.0), (1e6, 0.5), (1e-6, 1e6)):
        half = math.log(won / lost) / 2
        proof(bradley_terry, "closed form").close(
            bradley_terry(np.array([[0.0, won], [lost, 0.0]])), [half, -half], within=1e-12
        )


def test_a_chain_of_lopsided_games_is_found_too(proof) -> None:
    """Each player beat the next 999 times of 1000, and the last the first once: far from the start, badly scaled."""
    wins = np.zeros((6, 6))
    for i in range(5):
        wins[i, i + 1], wins[i + 1, i] = 999.0, 1.0
    steps = np.arange(6)[::-1] * math.log(999.0)
    proof(bradley_terry, "closed form").close(bradley_terry(wins), steps - steps.mean(), within=1e-11)


def test_newton_s_step_may_be_too_long(proof) -> None:
    """On these wins full steps run away; at the maximum each player has won as often as its strength makes expected."""
    wins = np.array(
        [
            [0, 0.7252, 0, 1.081e-3, 642.4],
            [2.237e-3, 0, 0.05251, 42.15, 0.03185],
            [9378, 20.15, 0, 865.7, 53.38],
            [0, 18.02, 0, 0, 0.05728],
            [4.566e-3, 5.483e-3, 0.02841, 0.8419, 0],
        ]
    )
    strengths = bradley_terry(wins)
    expected = [
        sum((wins[i, j] + wins[j, i]) / (1 + np.exp(strengths[j] - strengths[i])) for j in range(5)) for i in range(5)
    ]
    proof(bradley_terry, "its score equations").close(expected, wins.sum(axis=1), within=1e-12)


def test_one_player() -> None:
    assert bradley_terry(np.zeros((1, 1))).tolist() == [0.0]


@pytest.mark.parametrize(
    ("wins", "message"),
    [
        (np.zeros((0, 0)), "P: expected 1 or more, got 0"),
        (np.array([[0.0, 1.0], [0.0, 0.0]]), "got groups apart"),
        (np.zeros((2, 2)), "got groups apart"),
        (np.array([[0.0, -1.0], [1.0, 0.0]]), "counts of 0 or more, got -1"),
        (np.array([[0.0, np.nan], [1.0, 0.0]]), "counts of 0 or more, got nan"),
        (np.array([[1.0, 1.0], [1.0, 0.0]]), "a player against itself"),
    ],
)
def test_wins_that_have_no_strengths(wins, message) -> None:
    with pytest.raises(ValueError, match=message):
        bradley_terry(wins)


def test_intervals_are_quantiles_of_refitted_resamples(games, proof) -> None:
    ours = bradley_terry_intervals(games, 5, np.random.default_rng(8), n_resamples=40, level=0.8)
    draws = np.random.default_rng(8)
    refitted = np.array(
        [bradley_terry(win_matrix([games[i] for i in draws.integers(300, size=300)], 5)) for _ in range(40)]
    )
    expected = np.stack([np.quantile(refitted, 0.1, axis=0), np.quantile(refitted, 0.9, axis=0)], axis=1)
    proof(bradley_terry_intervals, "brute force").close(ours, expected, within=1e-12)
    assert (ours[:, 0] < bradley_terry(win_matrix(games, 5))).all()


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Of 60 cohorts at 5 players: 300 intervals at 90 %, of which 240 to 300 hold the truth (5 standard deviations)."""
    covered = 0
    for seed in range(60):
        draws = np.random.default_rng(seed)
        pairs = [(int(i), int(j)) for i, j in (draws.choice(5, size=2, replace=False) for _ in range(200))]
        games = [(i, j, float(draws.random() < 1 / (1 + np.exp(TRUTH[j] - TRUTH[i])))) for i, j in pairs]
        low, high = bradley_terry_intervals(games, 5, draws, n_resamples=60, level=0.9).T
        covered += int(((low <= TRUTH) & (high >= TRUTH)).sum())
    assert 240 <= covered <= 299


@pytest.mark.parametrize(
    ("games", "more", "message"),
    [
        ([(0, 1, 1.0)], {}, "got groups apart"),
        ([(0, 1, 1.0), (1, 0, 1.0)], {}, "expected enough that most resamples have a maximum, got 2 games"),
        ([(0, 1, 0.5)], {"level": 1.0}, "level: expected a share between 0 and 1, got 1.0"),
        ([(0, 1, 0.5)], {"n_resamples": 0}, "n_resamples: expected 1 or more, got 0"),
    ],
)
def test_intervals_that_cannot_be(games, more, message) -> None:
    with pytest.raises(ValueError, match=message):
        bradley_terry_intervals(games, 2, np.random.default_rng(1), **more)


@pytest.mark.parametrize("unit", [2.0**-1060, 2.0**-300, 2.0**900, 2.0**1021])
def test_strengths_do_not_depend_on_the_unit_of_the_counts(unit: float) -> None:
    counts = np.array([[0.0, 3.0], [1.0, 0.0]])
    assert bradley_terry(counts * unit).tolist() == bradley_terry(counts).tolist()


@pytest.mark.parametrize("rated", [elo_ratings, win_matrix])
@pytest.mark.parametrize("odd", [(0, 1, 1), (0.0, 1, 1.0), ("0", 1, 1.0)])
def test_each_game_is_looked_at(rated, odd) -> None:
    games = [(0, 1, 1.0)] * 200 + [odd]  # `@checked` draws one of them
    with pytest.raises(TypeError):
        rated(games, 2)


def test_elo_refuses_what_no_rating_can_come_from() -> None:
    for k_factor in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="k_factor: expected a finite number, 0 or more"):
            elo_ratings([(0, 1, 1.0)], 2, k_factor=k_factor)
    with pytest.raises(ValueError, match="start: expected a finite number, got nan"):
        elo_ratings([], 2, start=math.nan)


def test_counts_too_far_apart_to_be_added_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="wins: expected counts"):
        bradley_terry(np.array([[0.0, 1e17, 0.0], [1e17, 0.0, 3.0], [0.0, 1.0, 0.0]]))
