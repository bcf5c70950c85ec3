"""Our figures against scipy's, statsmodels' and evalica's, and whether the intervals cover what they promise."""

import math
from itertools import combinations, pairwise

import evalica
import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import beta, binomtest
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from eval.statistics import intervals as stats
from eval.statistics.agreement import agreement_of, cohen, fleiss, majority
from eval.statistics.outcomes import Outcome, correct, scored
from eval.statistics.people import corrected, worth_of
from eval.statistics.ranking import rank
from eval.statistics.style_control import controlled, controls, differing


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (20, 20), (10, 20), (15, 20), (13.5, 20), (72, 120), (1, 1)])
def test_wilson_is_that_of_statsmodels(successes: float, n: int) -> None:
    ours = stats.wilson(successes, n)
    assert ours == pytest.approx(proportion_confint(successes, n, method="wilson"))


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 0), (15, 5), (14, 6), (3, 11), (72, 48), (10, 10)])
def test_sign_test_is_the_exact_binomial_one(wins: int, losses: int) -> None:
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1
    assert stats.sign_test(wins, losses) == pytest.approx(expected)


def test_holm_is_that_of_statsmodels() -> None:
    p_values = [0.04, 0.001, 0.03, 0.2, 0.04, 0.9]
    assert stats.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_what_n_questions_can_show() -> None:
    """Known figures of the design: 15 of 20, 39 of 60, 72 of 120 wins; true rates of 80, 69.5 and 63.5 %."""
    assert [stats.wins_needed(n) for n in (0, 5, 6, 20, 40, 60, 120)] == [None, None, 6, 15, 27, 39, 72]
    assert [round(stats.detectable_rate(n) or 0, 3) for n in (20, 40, 60, 120)] == pytest.approx(
        [0.80, 0.725, 0.695, 0.635], abs=0.008
    )
    assert stats.detectable_rate(5) is None
    assert stats.detectable_rate(2000) == pytest.approx(0.532, abs=0.002)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "ties"), [(20, 0.3), (40, 0.6), (120, 0.25)])
def test_the_power_is_that_of_a_simulation_with_ties(n: int, ties: float) -> None:
    """At the rate that is said to be detectable, 4 of 5 experiments are significant; 80 % alone are 54 % of 20."""
    rng = np.random.default_rng(4)

    def shown(rate: float) -> float:
        decided = rng.binomial(n, 1 - ties, 4000)
        wins = rng.binomial(decided, rate)
        return float(np.mean([stats.sign_test(w, d - w) <= 0.05 for w, d in zip(wins, decided, strict=True)]))

    rate = stats.detectable_rate(n, ties)
    assert rate
    assert shown(rate) == pytest.approx(0.8, abs=0.025)
    if n == 20:
        assert shown(0.8) == pytest.approx(0.54, abs=0.025)


def simulated(rng: np.random.Generator, rate: float, experiments: int, questions: int) -> np.ndarray:
    """Winners (1 for a, -1 for b, 0 for a tie) in both orders, shaped (order, experiment, question).

    The judge has a position bias of 0.1 and ties on 10 %; questions differ in how hard they are.
    """
    chances = rng.beta(2 * rate, 2 * (1 - rate), size=(experiments, questions))
    wins = [np.where(rng.random(chances.shape) < np.clip(chances + bias, 0, 1), 1, -1) for bias in (0.1, -0.1)]
    return np.stack([np.where(rng.random(chances.shape) < 0.1, 0, winners) for winners in wins])


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.5, 0.75, 0.87])
def test_intervals_cover_at_least_93_percent(rate: float) -> None:
    """2,000 simulated experiments each: of one task, with 20 questions, and of 120 pooled ones."""
    rng = np.random.default_rng(11)
    first, second = simulated(rng, rate, 2000, 200)
    truth = np.where(first == second, (first + 1) / 2, 0.5).mean()
    names = {1: "a", -1: "b", 0: "tie"}
    covered: dict[int, list[bool]] = {20: [], 120: []}
    for orders in simulated(rng, rate, 2000, 120).transpose(1, 2, 0):
        found = [Outcome(str(n), "a", "b", (names[one], names[two])) for n, (one, two) in enumerate(orders.tolist())]
        for questions, hits in covered.items():
            low, high = stats.rate_interval(list(scored(found[:questions]).values()))
            hits.append(low <= truth <= high)
    assert {questions: np.mean(hits) >= 0.93 for questions, hits in covered.items()} == {20: True, 120: True}


@pytest.mark.parametrize("n", [20, 60, 120])
@pytest.mark.parametrize(("won", "ties"), [(0.5, 0.0), (0.5, 0.7), (0.5, 0.95), (0.8, 0.3), (0.95, 0.0), (0.95, 0.9)])
def test_a_rate_with_many_ties_or_few_losses_is_covered(n: int, won: float, ties: float) -> None:
    chances = [(1 - ties) * won, ties, (1 - ties) * (1 - won)]
    truth = chances[0] + ties / 2
    drawn = np.random.default_rng(8).multinomial(n, chances, size=2000)
    intervals = [stats.rate_interval([1.0] * w + [0.5] * t + [0.0] * lost) for w, t, lost in drawn]
    assert np.mean([low <= truth <= high for low, high in intervals]) >= (0.92 if n == 20 else 0.93)


def test_an_interval_never_collapses_leaves_its_bounds_or_jumps() -> None:
    assert stats.rate_interval([1.0] * 20) == pytest.approx(stats.wilson(20, 20))
    low, high = stats.rate_interval([0.5] * 20)
    assert (low, high) == pytest.approx((0.412, 0.588), abs=0.003)
    widths = [high - low for n in range(50, 75) for low, high in [stats.rate_interval([1.0, 0.5, 0.0, 1.0] * n)]]
    assert all(0.98 < later / earlier < 1 for earlier, later in pairwise(widths))
    assert stats.rate_interval([]) == [0, 1]


def test_holm_goes_over_all_that_is_shown_but_the_stand_in() -> None:
    rows = [
        {"kind": kind, "win_rate": 0.8, "sign_test_p": p}
        for kind, p in (("model", 0.01), ("stand-in", 0.001), ("human", 0.03), ("model", 0.04))
    ]
    correct(rows)
    assert [row["holm_p"] for row in rows] == pytest.approx([0.03, None, 0.06, 0.06])
    assert rows[0]["holm_of"] == 3
    assert rows[1]["sign_test_p"] is None


def test_agreement_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(1)
    codes = ["win", "tie", "loss"]
    truth = rng.integers(0, 3, 60)
    rated = [np.where(rng.random(60) < 0.3, rng.integers(0, 3, 60), truth) for _ in range(3)]
    ratings = {f"judge{n}": [codes[code] for code in row] for n, row in enumerate(rated)}
    table = np.zeros((3, 3))
    np.add.at(table, (rated[0], rated[1]), 1)
    assert cohen(ratings["judge0"], ratings["judge1"])["kappa"] == pytest.approx(cohens_kappa(table).kappa)
    counts = np.array([[sum(row[i] == code for row in rated) for code in range(3)] for i in range(60)])
    assert fleiss(ratings) == pytest.approx(fleiss_kappa(counts))
    assert agreement_of(ratings)["krippendorff_alpha"] == pytest.approx(fleiss_kappa(counts), abs=0.02)


def test_agreement_copes_with_judges_that_always_say_the_same_and_with_missing_verdicts() -> None:
    assert cohen(["tie"] * 5, ["tie"] * 5) == {"items": 5, "agreement": 1.0, "kappa": None}
    assert cohen([None], ["win"])["items"] == 0
    found = agreement_of({"one": ["tie"] * 5, "two": ["tie"] * 5})
    assert found["krippendorff_alpha"] is None
    assert found["fleiss_kappa"] is None


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        (["win", "win", "loss"], "win"),
        (["win", "loss"], "tie"),
        (["win", "tie", "loss"], "tie"),
        ([None, "loss"], "loss"),
        ([None, None], None),
    ],
)
def test_majority_needs_more_than_half(ratings: list[str | None], expected: str | None) -> None:
    assert majority(ratings) == expected


def test_length_control_finds_that_only_length_won() -> None:
    """The truth is a coin at equal length, and longer answers win more: raw is far from one half, controlled is not."""
    rng = np.random.default_rng(3)
    differences = rng.normal(300, 200, 400).round().astype(int)
    spread = math.sqrt((differences**2).mean())
    scores = (rng.random(400) < 1 / (1 + np.exp(-2 * np.tanh(differences / spread)))).astype(float)
    found = controlled(list(scores), [[one] for one in differences])
    assert found
    assert scores.mean() > 0.7
    assert found["interval"][0] < 0.5 < found["interval"][1]
    x = sm.add_constant(np.tanh(differences / spread))
    fitted = sm.GLM(scores, x, family=sm.families.Binomial()).fit(cov_type="HC0")
    assert found["win_rate"] == pytest.approx(1 / (1 + math.exp(-fitted.params[0])))
    low = 1 / (1 + math.exp(-(fitted.params[0] - stats.Z95 * fitted.bse[0])))
    assert found["interval"][0] == pytest.approx(low)


def test_length_control_is_not_given_where_it_cannot_be() -> None:
    assert controlled([1.0] * 20, [[n] for n in range(20)]) is None
    assert controlled([0.0, 1.0] * 50, [[0]] * 100) is None
    assert controlled([0.5] * 100 + [1.0] * 19, [[n] for n in range(119)]) is None
    assert controlled([0.0] * 50 + [1.0] * 50, [[-9]] * 50 + [[9]] * 50) is None
    assert (
        controlled([0.0, 1.0] * 25 + [0.5] * 20, [[n, n % 3, n % 5] for n in range(70)]) is None
    )  # 50 decided, 3 columns
    assert controls([0.0, 1.0] * 50, [(n % 7, 0, 0) for n in range(100)])["style_controlled"] is None


@pytest.mark.parametrize("better", [0.0, 0.6])
def test_style_control_covers_the_truth_where_length_control_does_not(better: float) -> None:
    """A judge that likes lists and length: the truth is the rate at equal style, `better` on the logit scale."""
    rng, covered, length_alone, raw = np.random.default_rng(5), [], [], []
    for _ in range(300):
        lists = rng.poisson(3, 120) - rng.poisson(0.5, 120)
        length = rng.normal(0, 300, 120) + 60 * lists
        markup = rng.poisson(1, 120) - rng.poisson(1, 120)
        style = np.column_stack([length, lists, markup])
        pull = np.tanh(style / np.sqrt((style**2).mean(axis=0))) @ (0.6, 1.2, 0.3)
        scores = (rng.random(120) < 1 / (1 + np.exp(-better - pull))).astype(float)
        found = controls(list(scores), style.tolist())
        truth = 1 / (1 + math.exp(-better))
        if found["style_controlled"]:
            covered.append(
                found["style_controlled"]["interval"][0] <= truth <= found["style_controlled"]["interval"][1]
            )
            length_alone.append(found["length_controlled"]["win_rate"])
            raw.append(scores.mean())
    assert len(covered) > 200
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.mean(raw) > truth + 0.1
    assert np.mean(length_alone) > truth + 0.05


def test_style_is_counted_as_a_reader_sees_it() -> None:
    plain = "Drink water. Rest."
    styled = "## Advice\n\n1. **Drink** water\n2) Rest\n- `sleep`\n\n| a | b |"
    assert differing(styled, plain) == (len(styled) - len(plain), 3, 4)
    assert differing("一、喝水\n1、休息\n• 睡觉", "喝水") == (12, 2, 0)


def games(seed: int, questions: int = 300) -> list[tuple[str, str, str, float]]:
    rng = np.random.default_rng(seed)
    strength = {"weak": 0.0, "middle": 0.7, "strong": 1.5}
    found = []
    for number in range(questions):
        for a, b in (("weak", "middle"), ("middle", "strong"), ("weak", "strong")):
            p = 1 / (1 + math.exp(strength[b] - strength[a]))
            score = 0.5 if rng.random() < 0.1 else float(rng.random() < p)
            found.append((str(number), a, b, score))
    return found


def test_ranking_orders_the_models_and_agrees_with_evalica() -> None:
    played = games(5)
    ranked = rank(played, draws=200)
    assert [row["name"] for row in ranked] == ["strong", "middle", "weak"]
    winner = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    theirs = evalica.bradley_terry(
        [g[1] for g in played], [g[2] for g in played], [winner[g[3]] for g in played]
    ).scores
    ours = {row["name"]: row["rating"] for row in ranked}
    for one, other in (("strong", "middle"), ("middle", "weak")):
        gap = 400 * math.log10(theirs[one] / theirs[other])
        assert ours[one] - ours[other] == pytest.approx(gap, abs=3)
    for row in ranked:
        assert row["interval"][0] < row["rating"] < row["interval"][1]
        assert row["games"] == 600
    turned = [(question, b, a, 1 - score) for question, a, b, score in played]
    assert rank(turned, draws=2)[0]["rating"] == pytest.approx(ranked[0]["rating"])


@pytest.mark.slow
def test_a_model_that_wins_all_has_a_wide_interval_and_islands_have_none() -> None:
    """The share that 20 of 20 wins allow, on Jeffreys' interval: 88 % or more."""
    first, second = rank([(str(n), "a", "b", 1.0) for n in range(20)])
    assert first["name"] == "a"
    assert first["interval"][1] - first["interval"][0] > 400
    share = 1 / (1 + 10 ** (2 * second["interval"][1] / 400))
    assert share == pytest.approx(beta(20.5, 0.5).ppf(0.025), abs=0.02)
    assert rank([("1", "a", "b", 1.0), ("1", "c", "d", 1.0)]) == []
    assert rank([]) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strengths", "ties"), [((0, 0), 0.0), ((0, 3), 0.3), ((0, 4.5), 0.0), ((0, 0.7, 1.5), 0.0), ((0, 1, 4), 0.3)]
)
def test_ranking_intervals_cover(strengths: tuple[float, ...], ties: float) -> None:
    """Models of known strength on 20 questions; the truth is the ranking of endless games with the same chances."""
    rng, pairs = np.random.default_rng(2), list(combinations(range(len(strengths)), 2))
    wins = {(a, b): 1 / (1 + math.exp(strengths[b] - strengths[a])) for a, b in pairs}
    exact = [(f"{a}{b}", str(a), str(b), (1 - ties) * wins[a, b] + ties / 2) for a, b in pairs] * 2000
    truth = {row["name"]: row["rating"] for row in rank(exact, draws=2)}
    covered = []
    for _ in range(80):
        played = [
            (str(q), str(a), str(b), 0.5 if rng.random() < ties else float(rng.random() < wins[a, b]))
            for q in range(20)
            for a, b in pairs
        ]
        covered += [row["interval"][0] <= truth[row["name"]] <= row["interval"][1] for row in rank(played, draws=100)]
    assert np.mean(covered) >= 0.92


@pytest.mark.parametrize("unvoted", [0, 200])
@pytest.mark.parametrize("votes", [50, 100, 200])
@pytest.mark.parametrize(("rate", "ties"), [(0.5, 0.0), (0.6, 0.3), (0.9, 0.0)])
def test_win_rates_corrected_by_votes_cover(rate: float, ties: float, votes: int, unvoted: int) -> None:
    """A judge of sensitivity and specificity 0.75, which never ties; the truth is what people say of endless pairs."""
    rng, covered = np.random.default_rng(6), []
    for _ in range(400):
        tied, won = rng.random(votes + unvoted) < ties, rng.random(votes + unvoted) < rate
        true = np.where(tied, 0.5, won)
        said = np.where(tied, rng.random(len(won)) < 0.5, won ^ (rng.random(len(won)) < 0.25)).astype(float)
        found = corrected({str(n): score for n, score in enumerate(said)}, {str(n): true[n] for n in range(votes)})
        assert found
        covered.append(found["interval"][0] <= ties / 2 + (1 - ties) * rate <= found["interval"][1])
    assert 0.92 <= np.mean(covered) <= 0.985


def test_too_few_votes_correct_nothing_and_what_a_panel_is_worth() -> None:
    rng = np.random.default_rng(7)
    true = {str(n): float(rng.random() < 0.6) for n in range(2000)}

    def judge(errors: np.ndarray) -> dict[str, float]:
        return {id_: abs(score - float(wrong)) for (id_, score), wrong in zip(true.items(), errors, strict=True)}

    alone = [judge(rng.random(2000) < 0.25) for _ in range(3)]
    assert worth_of({str(n): one for n, one in enumerate(alone)}, true) == pytest.approx(3, abs=0.3)
    assert worth_of({"a": alone[0], "b": alone[0], "c": alone[0]}, true) == pytest.approx(1)
    few = dict(list(true.items())[:49])
    assert worth_of({"a": alone[0], "b": alone[1]}, few) is None
    assert corrected(alone[0], few) == {"votes": 49, "needed": 1, "win_rate": None, "interval": [0, 1]}
    assert corrected(alone[0], {}) is None
