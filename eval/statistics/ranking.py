"""Bradley-Terry: one scale for any number of models, from all pairs that were judged."""

from collections.abc import Sequence
from typing import Any

DRAWS = 1000
SEED = 0
PRIOR = 0.5  # of a win each way for each pair that met: keeps a model that won all from running to infinity

Game = tuple[str, str, str, float]  # question, contestant a, contestant b, score of a (0, 0.5, 1)


def rank(games: Sequence[Game], draws: int = DRAWS) -> list[dict[str, Any]]:
    """Return each model's rating (Elo scale, mean 0) with a 95 % interval, best first.

    Bradley and Terry 1952, fitted by Hunter's (2004) MM algorithm, a tie as half a win; intervals by resampling
    whole questions, all their games together. Models that are not connected by games get no common scale: ValueError.
    """
    import numpy as np

    names = sorted({name for _, a, b, _ in games for name in (a, b)})
    index = {name: number for number, name in enumerate(names)}
    questions = sorted({question for question, *_ in games})
    place = {question: number for number, question in enumerate(questions)}
    wins = np.zeros((len(questions), len(names), len(names)))
    for question, a, b, score in games:
        wins[place[question], index[a], index[b]] += score
        wins[place[question], index[b], index[a]] += 1 - score
    met = wins.sum(axis=0)
    prior = PRIOR * ((met + met.T) > 0)
    if not _connected(met + met.T):
        raise ValueError("not every model is linked to every other by comparisons")
    fitted = _fit(met + prior)
    drawn = np.random.default_rng(SEED).multinomial(len(questions), [1 / len(questions)] * len(questions), size=draws)
    spread = np.array([_fit(np.tensordot(draw, wins, axes=1) + prior) for draw in drawn])
    low, high = np.percentile(spread, [2.5, 97.5], axis=0)
    order = sorted(range(len(names)), key=lambda i: -fitted[i])
    return [
        {
            "name": names[i],
            "rating": float(fitted[i]),
            "interval": [float(low[i]), float(high[i])],
            "games": round(float(met[i].sum() + met[:, i].sum())),
        }
        for i in order
    ]


def _fit(wins: Any) -> Any:
    """Return Elo-scaled ratings (mean 0) for a matrix of wins of row over column."""
    import numpy as np

    games = wins + wins.T
    total = wins.sum(axis=1)
    strength = np.ones(len(wins))
    for _ in range(10_000):
        new = total / (games / (strength[:, None] + strength[None, :])).sum(axis=1)
        new /= np.exp(np.log(new).mean())
        if np.abs(np.log(new / strength)).max() < 1e-9:
            break
        strength = new
    return 400 * np.log10(new)


def _connected(met: Any) -> bool:
    reached, waiting = {0}, [0]
    while waiting:
        here = waiting.pop()
        for other in range(len(met)):
            if met[here, other] and other not in reached:
                reached.add(other)
                waiting.append(other)
    return len(reached) == len(met)
