"""Boards from games between two: Bradley–Terry strengths from all games at once, Elo ratings game by game.

Both come with intervals; the unit is the game. A game is (player, opponent, score of the player: 1 won, 1/2 drawn,
0 lost), players are numbered from 0. Not covered: an advantage for who stands first, players who change with time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, ndtri

from harness.statistics.units import LEVEL, Array, Indices, hold_level

Game = tuple[int, int, float]
Columns = tuple[Indices, Indices, Array]  # player, opponent, score of all games

ELO_PER_NAT = 400 / math.log(10)  # points of Elo's scale, where 400 are odds of ten to one, for odds of e to one
START = 1500.0  # points before the first game; only differences mean anything
K = 32.0  # points that a game can move at most, as for new chess players
N_RUNS = 1000  # resampled runs of Elo: their spread is then known within 5 %
MAX_STEPS = 1000  # of Newton; ten to twenty where strengths differ by less than ten
SMALL_STEP = 1e-10  # in natural logarithms of odds; the error after such a step is of its square
BALANCE = 1e-9  # relative: how well expected points must equal those won


@dataclass(frozen=True, slots=True)
class Rating:
    """A player's rating with the ends of its interval."""

    value: float
    low: float
    high: float

    def on_elo_scale(self, centre: float = START) -> Self:
        """A Bradley–Terry strength in Elo's points, where the mean of all players is `centre`."""
        return type(self)(*(centre + ELO_PER_NAT * end for end in (self.value, self.low, self.high)))


def win_table(games: Sequence[Game], n_players: int) -> Array:
    """Points that each player (row) took from each other (column); a draw is half a win for both.

    Raises:
        ValueError: an unknown player, a player against itself, or a score other than 0, 1/2, 1.

    >>> win_table([(0, 1, 1.0), (1, 0, 0.5)], 2).tolist()
    [[0.0, 1.5], [0.5, 0.0]]
    """
    return _table(_columns(games, n_players), n_players)


def bradley_terry(wins: Array) -> Array:
    """Strengths b, with mean 0, under which the wins are most likely: P(i beats j) = 1 / (1 + exp(b_j - b_i)).

    Newton's steps, each shortened to ln(1 + d)/d of itself, where d is the most that it moves two players apart: for a
    sum of logistic terms this always climbs, and in the end changes nothing.

    Source: Bradley and Terry 1952, Biometrika 39(3/4); Ford 1957, American Mathematical Monthly 64(8), for when there
    is a maximum; Sun and Tran-Dinh 2019, Generalized Self-Concordant Functions, Mathematical Programming 178, for the
    shortened step.

    Args:
        wins: (P, P): points that the row's player took from the column's; zeros on the diagonal.

    Returns:
        (P,): natural logarithms of odds; times `ELO_PER_NAT`: points of Elo's scale.

    Raises:
        ValueError: no square table of finite counts, 0 or more; players who won from themselves; players who never lost
            to the others, or never met them, so that no strength would be the most likely; counts so far apart that
            float64 does not find it.

    >>> bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]])).round(6).tolist()  # half of ln 3 above the mean
    [0.549306, -0.549306]
    """
    wins = _held_table(wins)
    strengths = np.zeros(len(wins))
    for _ in range(MAX_STEPS):
        step = _newton_step(wins, strengths)
        apart = float(np.ptp(step))
        if apart < SMALL_STEP:
            break
        strengths = strengths + step * (math.log1p(apart) / apart)
    chance = expit(strengths[:, None] - strengths)
    if not np.allclose(((wins + wins.T) * chance).sum(axis=1), wins.sum(axis=1), rtol=BALANCE, atol=0):
        raise ValueError(f"wins: expected counts of comparable size, got {wins[wins > 0].min()} beside {wins.max()}")
    return np.asarray(strengths - strengths.mean())


def bradley_terry_ratings(games: Sequence[Game], n_players: int, *, level: float = LEVEL) -> tuple[Rating, ...]:
    """Bradley–Terry strengths with intervals: normal ones, from the robust ("sandwich") covariance.

    The spread is taken from how far each game's score was from its expectation. So draws, which vary less than wins
    and losses, narrow the intervals as they should: from the likelihood alone they cover 97 to 99 % with draws.

    95 % intervals cover, in 4,000 draws of 3 to 8 players with 4 to 100 games a pair and up to half of them drawn: 94.0
    to 96.5 %. A bootstrap over games covers 92.4 to 94.2 %, and with few games meets tables without a maximum. Nothing
    but draws leaves no spread at all, and an interval of no width.

    Source: White 1982, Maximum Likelihood Estimation of Misspecified Models, Econometrica 50(1).

    Args:
        games: in any order; see the module.
        n_players: players are 0 to n_players - 1, and each has won and lost, see `bradley_terry`.
        level: share of repetitions in which a player's interval is to hold its strength.

    Returns:
        One a player, in natural logarithms of odds, mean 0; `on_elo_scale` turns them into points.

    Raises:
        ValueError: as `win_table` and `bradley_terry`; `level` not between 0 and 1.
    """
    hold_level(level)
    player, opponent, score = columns = _columns(games, n_players)
    wins = _table(columns, n_players)
    strengths = bradley_terry(wins)
    surprise = (score - expit(strengths[player] - strengths[opponent])) ** 2
    surprises = np.zeros((n_players, n_players))
    np.add.at(surprises, (player, opponent), surprise)
    inverse = np.linalg.inv(_anchored(_information(wins, strengths)))
    covariance = inverse @ _laplacian(surprises + surprises.T) @ inverse  # what anchors is orthogonal to surprises
    return _normal(strengths, np.sqrt(np.diag(covariance)), level)


def elo(games: Sequence[Game], n_players: int, *, k: float = K, start: float = START) -> Array:
    """Elo ratings after the games, played through in their order: R' = R + k · (score - expected score), for both.

    Source: Elo 1978, The Rating of Chessplayers, Past and Present (the logistic form).

    Args:
        games: in the order in which they were played.
        n_players: players are 0 to n_players - 1.
        k: the most points that a game can move.
        start: points before the first game.

    Returns:
        (n_players,): points; `start` for who never played.

    Raises:
        ValueError: as `win_table`; `k` not finite or below 0, `start` not finite.

    >>> elo([(0, 1, 1.0)], 3).tolist()
    [1516.0, 1484.0, 1500.0]
    """
    _hold_settings(k, start)
    ratings = np.full((1, n_players), start)
    for player, opponent, score in zip(*_columns(games, n_players), strict=True):
        _play(ratings, np.array([player]), np.array([opponent]), np.array([score]), k)
    return np.asarray(ratings[0])


def elo_ratings(
    games: Sequence[Game],
    n_players: int,
    *,
    rng: np.random.Generator,
    k: float = K,
    start: float = START,
    level: float = LEVEL,
) -> tuple[Rating, ...]:
    """Elo ratings with intervals that know that another order of the same games gives other ratings.

    1,000 runs of as many games are drawn, with replacement and in random order; a rating's interval is its value and
    ± z times its spread over the runs. It holds the rating that such runs have on average. With k = 32 most of its
    width is the order's: it stays however many games are played (some ±90 points), and a smaller k narrows it.

    95 % intervals cover, in 2,000 draws: 93 to 96 % with 60 to 1,000 games of 4 to 8 players, k 8 to 32. Quantiles of
    the runs themselves cover up to 100 %: they are centred on the average order already.

    Source: Boubdir et al. 2023, Elo Uncovered (arXiv:2311.17295), for how much the order matters.

    Args:
        games: in the order in which they were played; players are taken to be as strong at the end as at the start.
        n_players: players are 0 to n_players - 1.
        rng: draws the runs.
        k: the most points that a game can move.
        start: points before the first game.
        level: share of repetitions in which a player's interval is to hold its average rating.

    Returns:
        One a player, in points; its value is that of `elo`.

    Raises:
        ValueError: as `elo`; no game; `level` not between 0 and 1.

    Cost: O(games · runs) time, O(runs · players) memory.
    """
    hold_level(level)
    player, opponent, score = _columns(games, n_players)
    if not len(player):
        raise ValueError("games: expected one or more, got none")
    _hold_settings(k, start)
    ratings = np.full((1 + N_RUNS, n_players), start)
    for game in range(len(player)):
        drawn = rng.integers(len(player), size=1 + N_RUNS)
        drawn[0] = game  # the first run is the one that was played
        _play(ratings, player[drawn], opponent[drawn], score[drawn], k)
    return _normal(ratings[0], ratings[1:].std(axis=0, ddof=1), level)


def _columns(games: Sequence[Game], n_players: int) -> Columns:
    for one, other, points in games:
        if not (0 <= one < n_players and 0 <= other < n_players) or one == other:
            raise ValueError(f"games: expected two players from 0 to {n_players - 1}, got {one} against {other}")
        if points not in (0, 0.5, 1):
            raise ValueError(f"games: expected a score of 0, 0.5 or 1, got {points}")
    player, opponent = (np.array([game[side] for game in games], dtype=np.intp) for side in (0, 1))
    return player, opponent, np.array([game[2] for game in games], dtype=np.float64)


def _table(columns: Columns, n_players: int) -> Array:
    player, opponent, score = columns
    wins = np.zeros((n_players, n_players))
    np.add.at(wins, (player, opponent), score)
    np.add.at(wins, (opponent, player), 1 - score)
    return wins


def _held_table(wins: Array) -> Array:
    table = np.asarray(wins, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ValueError(f"wins: expected a row and a column for each player, got shape {table.shape}")
    wrong = table[~((table >= 0) & np.isfinite(table))]
    if len(wrong):
        raise ValueError(f"wins: expected finite counts of 0 or more, got {wrong[0]}")
    if np.diag(table).any():
        raise ValueError("wins: expected zeros on the diagonal, got a player against itself")
    n_groups, group = connected_components(table > 0, directed=True, connection="strong")
    for inside in (group == one for one in range(n_groups) if n_groups > 1):
        if not table[np.ix_(~inside, inside)].any():
            unbeaten = np.flatnonzero(inside).tolist()
            raise ValueError(
                f"wins: expected a chain of wins from each player to each other, but players {unbeaten} never lost to "
                "the others"
            )
    return np.asarray(table / table.max()) if table.any() else table  # no strength depends on a common factor


def _information(wins: Array, strengths: Array) -> Array:
    """(P, P): what the games between two tell about the difference of their strengths."""
    chance = expit(strengths[:, None] - strengths)
    return np.asarray((wins + wins.T) * chance * chance.T)


def _laplacian(weights: Array) -> Array:
    """Σ w_ij (e_i - e_j)(e_i - e_j)ᵀ over pairs."""
    return np.asarray(np.diag(weights.sum(axis=1)) - weights)


def _anchored(weights: Array) -> Array:
    """Their Laplacian, whose rows sum to 0, made invertible: a constant added everywhere settles the mean."""
    return np.asarray(_laplacian(weights) + (weights.max() or 1.0))


def _newton_step(wins: Array, strengths: Array) -> Array:
    chance = expit(strengths[:, None] - strengths)
    gradient = (wins * chance.T - wins.T * chance).sum(axis=1)  # points beyond those expected
    return np.asarray(np.linalg.solve(_anchored(_information(wins, strengths)), gradient))


def _play(ratings: Array, player: Indices, opponent: Indices, score: Array, k: float) -> None:
    """One game in each run (row), in place."""
    flat, first = ratings.reshape(-1), np.arange(0, ratings.size, ratings.shape[1])  # flat indices take half the time
    mine, theirs = flat[first + player], flat[first + opponent]
    moved = k * (score - expit((mine - theirs) / ELO_PER_NAT))
    flat[first + player] = mine + moved
    flat[first + opponent] = theirs - moved


def _hold_settings(k: float, start: float) -> None:
    if not 0 <= k < math.inf:
        raise ValueError(f"k: expected a finite number, 0 or more, got {k}")
    if not math.isfinite(start):
        raise ValueError(f"start: expected a finite number, got {start}")


def _normal(values: Array, errors: Array, level: float) -> tuple[Rating, ...]:
    margins = ndtri((1 + level) / 2) * errors
    return tuple(
        Rating(value, value - margin, value + margin)
        for value, margin in zip(values.tolist(), margins.tolist(), strict=True)
    )
