"""Elo: ratings that move a little after each game. Not covered: ratings from all games at once (`bradley_terry`)."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy.special import expit

from reference.checked import checked
from reference.values import at_least

SCALE = 400.0  # points for odds of ten to one
Game = tuple[int, int, float]  # player, opponent, what the player scored: 1 won, 1/2 drawn, 0 lost


@checked
def elo_expected_score(rating: float, opponent: float) -> float:
    """Say what a player scores on average against an opponent.

    E = 1 / (1 + 10^((R_opponent - R) / 400)).

    Source: Elo 1978, The Rating of Chessplayers, Past and Present (the logistic form).

    Args:
        rating: of the player.
        opponent: rating of the opponent.
    Raises:
        ValueError: the difference is not a number.

    Cost: O(1).

    >>> round(elo_expected_score(1400.0, 1000.0) * 11, 12)      # odds of ten to one
    10.0
    """
    if math.isnan(rating - opponent):
        raise ValueError(f"rating - opponent: expected a number, got {rating} - {opponent}")
    return float(expit((rating - opponent) * math.log(10) / SCALE))


@checked
def elo_ratings(
    games: Sequence[Game], n_players: int, *, k_factor: float = 32.0, start: float = 1000.0
) -> Float64[np.ndarray, " P"]:
    """Play the games through in order; after each, winner and loser exchange points.

    R' = R + K · (score - E), for both players from their ratings before the game. The sum of all ratings stays.

    Source: Elo 1978, The Rating of Chessplayers, Past and Present.

    Args:
        games: in the order in which they were played; that order matters.
        n_players: players are 0 to n_players - 1.
        k_factor: K, the most points that a game can move.
        start: rating before the first game.
    Returns:
        Ratings; `start` for who never played.
    Raises:
        ValueError: an unknown player, a player against itself, a score other than 0, 1/2, 1, `k_factor` is negative,
            NaN or infinite, or `start` is not finite.

    Cost: O(games + P).

    >>> elo_ratings([(0, 1, 1.0)], n_players=3)
    array([1016.,  984., 1000.])
    """
    hold_games(games, n_players)
    if not 0 <= k_factor < math.inf:
        raise ValueError(f"k_factor: expected a finite number, 0 or more, got {k_factor}")
    if not math.isfinite(start):
        raise ValueError(f"start: expected a finite number, got {start}")
    ratings = np.full(n_players, start)
    for player, opponent, score in games:
        moved = k_factor * (score - elo_expected_score(float(ratings[player]), float(ratings[opponent])))
        ratings[player] += moved
        ratings[opponent] -= moved
    return ratings


def hold_games(games: Sequence[Game], n_players: int) -> None:
    """Hold every game to two known players and a score of 0, 1/2 or 1."""
    at_least("n_players", n_players, 1)
    for game in games:  # each: `@checked` draws one of them
        if not (isinstance(game[0], int) and isinstance(game[1], int) and isinstance(game[2], float)):
            raise TypeError(f"games: expected (int, int, float), got {game!r}")
        player, opponent, score = game
        if not (0 <= player < n_players and 0 <= opponent < n_players) or player == opponent:
            raise ValueError(f"games: expected two players from 0 to {n_players - 1}, got {player} against {opponent}")
        if score not in (0, 0.5, 1):
            raise ValueError(f"games: expected a score of 0, 0.5 or 1, got {score}")
