"""Bradley–Terry and Elo: equal to the oracle's, which shares no code with them, and intervals that cover."""

import numpy as np
import pytest
from scipy.special import expit

from harness.statistics import bradley_terry, bradley_terry_ratings, elo, elo_ratings, pairwise, win_table
from reference import evaluation as oracle

DRAWS = 2000


def played(rng: np.random.Generator, strengths: np.ndarray, pairs: np.ndarray, draws: float = 0.0) -> list:
    """Games whose expected score is Bradley–Terry's; a share of about `draws` of them is drawn."""
    chance = expit(strengths[pairs[:, 0]] - strengths[pairs[:, 1]])
    drawn = draws * 2 * np.minimum(chance, 1 - chance)
    luck = rng.random(len(pairs))
    scores = np.where(luck < drawn, 0.5, np.where(luck < chance + drawn / 2, 1.0, 0.0))
    return [(i, j, score) for (i, j), score in zip(pairs.tolist(), scores.tolist(), strict=True)]


def round_robin(n_players: int, games_a_pair: int) -> np.ndarray:
    return np.repeat(np.stack(np.triu_indices(n_players, 1), axis=1), games_a_pair, axis=0)


def test_strengths_are_the_oracle_s() -> None:
    rng = np.random.default_rng(0)
    compared = 0
    for _ in range(300):
        n = int(rng.integers(2, 9))
        wins = np.where(rng.random((n, n)) < 0.7, rng.lognormal(sigma=rng.choice([0.5, 3.0]), size=(n, n)), 0.0)
        np.fill_diagonal(wins, 0.0)
        try:
            expected = oracle.bradley_terry(wins)
        except ValueError:
            with pytest.raises(ValueError, match="never lost to the others"):
                bradley_terry(wins)
            continue
        np.testing.assert_allclose(bradley_terry(wins), expected, atol=1e-9)
        compared += 1
    assert compared > 150


@pytest.mark.parametrize("factor", [1e-300, 7.0, 1e308])
def test_a_common_factor_of_all_wins_changes_nothing(factor) -> None:
    wins = np.array([[0.0, 1.5], [1.0, 0.0]])
    np.testing.assert_allclose(bradley_terry(factor * wins), bradley_terry(wins), atol=1e-12)


def test_ratings_and_tables_are_the_oracle_s() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        strengths = rng.standard_normal(5)
        games = played(rng, strengths, rng.permuted(np.tile(np.arange(5), (80, 1)), axis=1)[:, :2], draws=0.3)
        np.testing.assert_array_equal(win_table(games, 5), oracle.win_matrix(games, 5))
        expected = oracle.elo_ratings(games, 5, k_factor=24.0, start=1500.0)
        np.testing.assert_allclose(elo(games, 5, k=24.0), expected, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("n_players", "games_a_pair", "draws"), [(4, 10, 0.0), (4, 10, 0.5), (6, 4, 0.3)])
def test_intervals_of_strengths_cover(n_players, games_a_pair, draws) -> None:
    rng = np.random.default_rng(4)
    strengths = np.linspace(-0.6, 0.6, n_players)
    pairs = round_robin(n_players, games_a_pair)
    covered, without_maximum = [], 0
    while len(covered) < DRAWS:
        try:
            found = bradley_terry_ratings(played(rng, strengths, pairs, draws), n_players)
        except ValueError:
            without_maximum += 1
            continue
        covered.append([one.low <= true <= one.high for one, true in zip(found, strengths, strict=True)])
    assert without_maximum < 0.01 * DRAWS
    shares = np.mean(covered, axis=0)
    assert shares.min() >= 0.93
    assert shares.max() <= 0.97


def average_ratings(rng: np.random.Generator, strengths: np.ndarray, n_games: int, k: float) -> np.ndarray:
    """Over 20,000 runs of random pairings, by a loop of its own."""
    runs, n = np.arange(20_000), len(strengths)
    ratings = np.zeros((len(runs), n))
    for _ in range(n_games):
        i = rng.integers(n, size=len(runs))
        j = (i + rng.integers(1, n, size=len(runs))) % n
        won = rng.random(len(runs)) < expit(strengths[i] - strengths[j])
        moved = k * (won - 1 / (1 + 10 ** ((ratings[runs, j] - ratings[runs, i]) / 400)))
        ratings[runs, i] += moved
        ratings[runs, j] -= moved
    return ratings.mean(axis=0) + 1500


@pytest.mark.slow
def test_intervals_of_elo_cover_the_average_order(monkeypatch) -> None:
    monkeypatch.setattr(pairwise, "N_RUNS", 64)  # a spread known within 9 %, for speed
    rng = np.random.default_rng(4)
    strengths = np.linspace(-0.6, 0.6, 4)
    average = average_ratings(rng, strengths, 80, 24.0)
    covered = []
    for _ in range(DRAWS):
        i = rng.integers(4, size=80)
        pairs = np.stack([i, (i + rng.integers(1, 4, size=80)) % 4], axis=1)
        found = elo_ratings(played(rng, strengths, pairs), 4, rng=rng, k=24.0)
        covered.append([one.low <= true <= one.high for one, true in zip(found, average, strict=True)])
    shares = np.mean(covered, axis=0)
    assert shares.min() >= 0.93
    assert shares.max() <= 0.97


def test_elo_s_interval_holds_the_same_games_in_other_orders() -> None:
    rng = np.random.default_rng(2)
    games = played(rng, np.array([-0.5, 0.0, 0.5]), round_robin(3, 60))
    found = elo_ratings(games, 3, rng=rng)
    assert [one.value for one in found] == elo(games, 3).tolist()
    orders = np.array([elo([games[i] for i in rng.permutation(len(games))], 3) for _ in range(50)])
    assert orders.std(axis=0).min() > 20  # points: the order alone moves ratings that much
    assert np.mean([(one.low <= orders[:, i]) & (orders[:, i] <= one.high) for i, one in enumerate(found)]) > 0.7


def test_strengths_on_elo_s_scale_give_elo_s_odds() -> None:
    """Ten wins to one are 400 points."""
    games = [(0, 1, 1.0)] * 10 + [(0, 1, 0.0)]
    first, second = (one.on_elo_scale() for one in bradley_terry_ratings(games, 2))
    assert first.value - second.value == pytest.approx(400)
    assert first.value + second.value == pytest.approx(3000)
    assert first.high - first.value == pytest.approx(first.value - first.low)


def test_of_two_players_the_interval_is_the_textbook_s() -> None:
    """Log-odds of w wins and l losses have variance 1/w + 1/l; half of the log-odds is the strength."""
    found = bradley_terry_ratings([(0, 1, 1.0)] * 30 + [(1, 0, 1.0)] * 10, 2)[0]
    assert found.value == pytest.approx(np.log(3) / 2)
    assert found.high - found.value == pytest.approx(1.959964 * np.sqrt(1 / 30 + 1 / 10) / 2, rel=1e-6)


def test_more_games_of_the_same_kind_narrow_every_interval_by_their_root() -> None:
    """Nine times the games, a third of the width, for tables of any size and shape."""
    rng = np.random.default_rng(3)
    for n in range(2, 12):
        games = played(rng, rng.standard_normal(n) / 4, round_robin(n, 8), draws=0.2)
        once, nine_times = bradley_terry_ratings(games, n), bradley_terry_ratings(games * 9, n)
        widths = np.array([[one.high - one.low for one in found] for found in (once, nine_times)])
        assert widths.min() > 0.05
        np.testing.assert_allclose(widths[0], 3 * widths[1], rtol=1e-9)


def test_no_table_s_rounding_leaves_a_player_without_interval() -> None:
    """Fourteen players, four games a pair: the inverse of their singular information once came out as noise."""
    rng = np.random.default_rng(2)
    rng.integers(10)  # the case lies one draw further
    games = played(rng, rng.standard_normal(14) / 2, round_robin(14, 4))
    for one in bradley_terry_ratings(games, 14):
        assert 0.3 < one.high - one.value < 1


def test_draws_narrow_intervals() -> None:
    decided = bradley_terry_ratings([(0, 1, 1.0)] * 10 + [(0, 1, 0.0)] * 10, 2)[0]
    drawn = bradley_terry_ratings([(0, 1, 1.0)] * 5 + [(0, 1, 0.0)] * 5 + [(0, 1, 0.5)] * 10, 2)[0]
    assert (decided.value, drawn.value) == (0.0, 0.0)
    assert drawn.high == pytest.approx(decided.high / np.sqrt(2))


def test_who_never_lost_is_named() -> None:
    games = [(0, 1, 1.0), (1, 0, 1.0), (2, 3, 1.0), (3, 2, 1.0), (2, 0, 1.0)]
    with pytest.raises(ValueError, match=r"players \[2, 3\] never lost to the others"):
        bradley_terry_ratings(games, 4)


@pytest.mark.parametrize(
    ("wins", "message"),
    [
        (np.zeros((0, 0)), "a row and a column for each player"),
        (np.ones((2, 3)), "a row and a column for each player"),
        (np.array([[0.0, -1.0], [1.0, 0.0]]), "0 or more, got -1"),
        (np.array([[0.0, np.nan], [1.0, 0.0]]), "0 or more, got nan"),
        (np.ones((2, 2)), "a player against itself"),
        (np.array([[0.0, 1e300, 1.0], [1.0, 0.0, 1e300], [1e-300, 1.0, 0.0]]), "of comparable size"),
    ],
)
def test_what_is_no_table_of_wins(wins, message) -> None:
    with pytest.raises(ValueError, match=message):
        bradley_terry(wins)


@pytest.mark.parametrize(
    ("game", "message"),
    [((0, 2, 1.0), "got 0 against 2"), ((1, 1, 1.0), "got 1 against 1"), ((0, 1, 0.7), "got 0.7")],
)
def test_what_is_no_game(game, message) -> None:
    for rate in (win_table, elo, bradley_terry_ratings):
        with pytest.raises(ValueError, match=message):
            rate([game], 2)


@pytest.mark.parametrize(
    ("options", "message"), [({"k": -1.0}, "k: expected"), ({"k": np.nan}, "k: expected"), ({"start": np.inf}, "start")]
)
def test_settings_that_give_no_ratings(options, message) -> None:
    with pytest.raises(ValueError, match=message):
        elo([(0, 1, 1.0)], 2, **options)


def test_a_board_without_games() -> None:
    assert elo([], 2).tolist() == [1500.0, 1500.0]
    with pytest.raises(ValueError, match="one or more"):
        elo_ratings([], 2, rng=np.random.default_rng(1))
