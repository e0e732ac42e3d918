"""Bradley–Terry: strengths that make the games that were played most likely, with bootstrap intervals.

Not covered: an advantage for who stands first, players that change.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, log_expit

from reference.checked import checked
from reference.evaluation.elo import Game, hold_games
from reference.values import at_least

MAX_STEPS = 200  # of Newton; a dozen are enough where strengths differ by less than a hundred
SMALL_STEP = 1e-8  # Newton converges quadratically: after such a step the error is of its square
ROUNDING = 1e-12  # relative, of a log-likelihood: thousands of float64 roundings
MAX_REDRAWS = 0.5  # share of resamples without a maximum from which on intervals would say little


@checked
def win_matrix(games: Sequence[Game], n_players: int) -> Float64[np.ndarray, "P P"]:
    """Count how often each player beat each other; a draw is half a win for both.

    Source: Bradley and Terry 1952, Biometrika 39(3/4). Departs from it: draws.

    Args:
        games: (player, opponent, score of the player: 1, 1/2 or 0), in any order.
        n_players: players are 0 to n_players - 1.
    Returns:
        wins[i, j] = points that i took from j; zeros on the diagonal.
    Raises:
        ValueError: an unknown player, a player against itself, or a score other than 0, 1/2, 1.

    Cost: O(games + P²).

    >>> win_matrix([(0, 1, 1.0), (1, 0, 0.5)], n_players=2)
    array([[0. , 1.5],
           [0.5, 0. ]])
    """
    hold_games(games, n_players)
    wins = np.zeros((n_players, n_players))
    for player, opponent, score in games:
        wins[player, opponent] += score
        wins[opponent, player] += 1 - score
    return wins


@checked
def bradley_terry(wins: Float64[np.ndarray, "P P"]) -> Float64[np.ndarray, " P"]:
    """Find the strengths under which the wins are most likely.

    P(i beats j) = 1 / (1 + exp(b_j - b_i)); b maximises the likelihood and has mean 0. The log-likelihood is concave,
    so Newton's steps, halved until it rises, end at its only maximum. Times 400 / ln 10: points of Elo's scale.

    Source: Bradley and Terry 1952, Biometrika 39(3/4); Ford 1957, American Mathematical Monthly 64(8), for when the
    maximum exists: from each player one comes to each other over a chain of wins.

    Args:
        wins: wins[i, j] = points that i took from j, the diagonal 0.
    Returns:
        Natural logarithms of the strengths; one player: 0.
    Raises:
        ValueError: no player, a negative or infinite count, a player against itself, or a group of players that never
            lost to the others or never met them: their strengths would be infinite. Counts that float64 cannot tell
            from such.

    Cost: O(steps · P³).

    >>> bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]])).round(6).tolist()     # half of ln 3 above the mean
    [0.549306, -0.549306]
    """
    _held(wins)
    given = wins
    if not _connected(wins):
        raise ValueError("wins: expected each player to have beaten each other over a chain of wins, got groups apart")
    wins = np.ldexp(wins, -np.frexp(wins.max())[1])  # exact, and no strength depends on it: neither 0 nor infinite sums
    games = wins + wins.T
    strengths = np.zeros(len(wins))
    for _ in range(MAX_STEPS):
        step = _newton_step(wins, games, strengths)
        while _falls(wins, strengths, strengths + step):
            step /= 2
        strengths += step
        if np.abs(step).max() <= SMALL_STEP:
            break
    else:
        raise ValueError(f"wins: expected counts from which {MAX_STEPS} steps find the maximum, got {given.tolist()}")
    centred: Float64[np.ndarray, " P"] = strengths - strengths.mean()
    return centred


@checked
def bradley_terry_intervals(
    games: Sequence[Game], n_players: int, rng: np.random.Generator, *, n_resamples: int = 1000, level: float = 0.95
) -> Float64[np.ndarray, "P 2"]:
    """Say how far the strengths would move with other games: percentile bootstrap over games.

    Games are drawn anew with replacement, strengths are found again, and of each player's the (1 - level)/2 and
    (1 + level)/2 quantiles are kept. A resample without a maximum (see `bradley_terry`) is drawn again.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 13.3.

    Args:
        games: see `win_matrix`.
        n_players: players are 0 to n_players - 1.
        rng: draws the resamples.
        n_resamples: how many.
        level: share of resamples inside the interval.
    Returns:
        Low and high strength of each player.
    Raises:
        ValueError: as `win_matrix` and `bradley_terry`; `n_resamples` below 1; `level` not between 0 and 1; half of the
            resamples have no maximum: too few games.

    Cost: O(resamples · (games + steps · P³)).

    >>> bradley_terry_intervals([(0, 1, 0.5)] * 9, 2, np.random.default_rng(0), n_resamples=3).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    at_least("n_resamples", n_resamples, 1)
    if not 0 < level < 1:
        raise ValueError(f"level: expected a share between 0 and 1, got {level}")
    bradley_terry(win_matrix(games, n_players))  # raises where the games themselves have no maximum
    drawn: list[Float64[np.ndarray, " P"]] = []
    for _ in range(int(n_resamples / MAX_REDRAWS)):
        wins = win_matrix([games[i] for i in rng.integers(len(games), size=len(games))], n_players)
        if _connected(wins):
            drawn.append(bradley_terry(wins))
        if len(drawn) == n_resamples:
            low_high: Float64[np.ndarray, "2 P"] = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
            return low_high.T.copy()
    raise ValueError(f"games: expected enough that most resamples have a maximum, got {len(games)} games")


def _held(wins: Float64[np.ndarray, "P P"]) -> None:
    at_least("P", len(wins), 1)
    wrong = wins[~((wins >= 0) & np.isfinite(wins))]
    if len(wrong):
        raise ValueError(f"wins: expected finite counts of 0 or more, got {wrong[0]}")
    if np.diag(wins).any():
        raise ValueError("wins: expected zeros on the diagonal, got a player against itself")


def _connected(wins: Float64[np.ndarray, "P P"]) -> bool:
    n_groups: int = connected_components(wins > 0, directed=True, connection="strong", return_labels=False)
    return n_groups == 1


def _newton_step(
    wins: Float64[np.ndarray, "P P"], games: Float64[np.ndarray, "P P"], strengths: Float64[np.ndarray, " P"]
) -> Float64[np.ndarray, " P"]:
    """Solve (negative Hessian) step = gradient; a constant added everywhere settles the common shift."""
    chance = expit(strengths[:, None] - strengths)  # (P, P): of i against j
    gradient = (wins * chance.T - wins.T * chance).sum(axis=1)  # wins beyond what was to be expected
    weights = games * chance * chance.T  # (P, P)
    curvature = np.diag(weights.sum(axis=1)) - weights  # (P, P), its rows sum to 0
    curvature += weights.max() or 1.0
    try:
        step: Float64[np.ndarray, " P"] = np.linalg.solve(curvature, gradient)
    except np.linalg.LinAlgError as error:
        raise ValueError("wins: expected counts of sizes that float64 can add up, got ones too far apart") from error
    return step


def _falls(
    wins: Float64[np.ndarray, "P P"], before: Float64[np.ndarray, " P"], after: Float64[np.ndarray, " P"]
) -> bool:
    """Whether the log-likelihood gets worse by more than its own rounding."""
    old, new = ((wins * log_expit(strengths[:, None] - strengths)).sum() for strengths in (before, after))
    return bool(new < old - ROUNDING * abs(old))
