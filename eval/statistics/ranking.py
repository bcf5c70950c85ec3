"""Bradley-Terry: one scale for any number of models, from all pairs that were judged."""

from collections.abc import Sequence
from typing import Any

DRAWS = 1000
SEED = 0
PRIOR = 0.5  # of a win each way for each pair that met (Jeffreys): keeps a model that won all from infinity

Game = tuple[str, str, str, float]  # question, contestant a, contestant b, score of a (0 to 1)


def rank(games: Sequence[Game], draws: int = DRAWS) -> list[dict[str, Any]]:
    """Return each model's rating (Elo scale, mean 0) with a 95 % interval, best first.

    Bradley and Terry 1952 (evalica's fit), a tie as half a win. The intervals are a Bayesian bootstrap: every question
    gets a weight by chance, all its games together, and every pair that met has half a win each way of such a weight
    too, so that 20 wins of 20 give a wide interval and not none. [] when not all models are linked by games.
    """
    import numpy as np
    from evalica import Winner, bradley_terry

    games = [(q, a, b, score) if a < b else (q, b, a, 1 - score) for q, a, b, score in games]
    names = sorted({name for _, *both, _ in games for name in both})
    if not games or len(_linked(games)) < len(names):
        return []
    pairs = list(dict.fromkeys((a, b) for _, a, b, _ in games))
    questions = {question: place for place, question in enumerate(dict.fromkeys(game[0] for game in games))}
    won = np.zeros((len(questions), len(pairs), 2))  # what each question adds to either side of each pair
    for question, a, b, score in games:
        won[questions[question], pairs.index((a, b))] += (score, 1 - score)
    xs, ys = ([pair[side] for pair in pairs for _ in range(2)] for side in (0, 1))

    def fit(weights: Any) -> Any:
        found = bradley_terry(
            xs, ys, [Winner.X, Winner.Y] * len(pairs), weights=weights.ravel().tolist(), tolerance=1e-6, limit=1000
        )
        rating = 400 * np.log10(found.scores.reindex(names).to_numpy())
        return rating - rating.mean()

    rng, n = np.random.default_rng(SEED), len(questions)
    shape = max(0.2, (n - 3) / (n + 1))  # below 1: as much wider as Student's t is than the normal
    chance = rng.gamma(shape, 1 / shape, size=(draws, n))
    prior = rng.gamma(PRIOR, size=(draws, *won.shape[1:]))
    drawn = [fit(np.tensordot(weights, won, axes=1) + more) for weights, more in zip(chance, prior, strict=True)]
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    rating = fit(won.sum(axis=0) + PRIOR)
    return [
        {
            "name": names[i],
            "rating": float(rating[i]),
            "interval": [float(low[i]), float(high[i])],
            "games": sum(names[i] in game[1:3] for game in games),
        }
        for i in np.argsort(-rating, kind="stable")
    ]


def _linked(games: Sequence[Game]) -> set[str]:
    """Return the models that the first one is linked to by games, over others too."""
    reached, before = {games[0][1]}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {name for _, *both, _ in games if reached & set(both) for name in both}
    return reached
