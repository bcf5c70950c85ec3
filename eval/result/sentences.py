"""What a result's figures say, in sentences that claim no more than they show."""

from collections.abc import Callable
from functools import partial
from typing import Any

from eval.result.wording import say

Say = Callable[..., str]


def sentences(result: dict[str, Any], language: str = "en") -> list[str]:
    """Return a result's findings: who is ahead, agreement, held-out loss, other scores, what was run, the files."""
    tell = partial(say, language)
    said = [verdict(row, tell) for row in result["comparisons"]]
    said += [agreement(row, tell) for row in result["agreement"] if any(pair["items"] for pair in row["pairs"])]
    said.append(heldout(result["heldout"], tell))
    said += choice(result["choice"], tell) + texts(result["texts"], tell)
    said += [contestant(who, entry, tell) for who, entry in result["contestants"].items()]
    return [*said, tell("files", folder=result["folder"])]


def verdict(row: dict[str, Any], tell: Say) -> str:
    """Say who is ahead, or that it cannot be told."""
    a, b, judge = row["a"], row["b"], row["judge"]
    n = row["wins"] + row["ties"] + row["losses"]
    if not n:
        return tell("no verdict", judge=judge)
    if row["sign_test_p"] <= 0.05:
        better, worse = (a, b) if row["wins"] > row["losses"] else (b, a)
        nearer = tell("nearer") if row["kind"] == "stand-in" else ""
        return tell("beats", judge=judge, better=better, worse=worse, nearer=nearer, p=p_value(row["sign_test_p"]))
    needed = row["wins_needed"]
    power = tell("power", wins=needed, n=n, rate=row["detectable_rate"]) if needed else tell("too few")
    return tell("untold", judge=judge, a=a, b=b, n=n, power=power)


def agreement(row: dict[str, Any], tell: Say) -> str:
    """Say how far the judges agree beyond chance."""

    def number(value: float | None) -> str:
        return tell("undefined") if value is None else f"{value:.2f}"

    pairs = [
        tell("kappa", one=one, other=other, kappa=number(pair["kappa"]), same=pair["agreement"])
        for pair in row["pairs"]
        if pair["items"]
        for one, other in [pair["judges"]]
    ]
    alpha, fleiss = number(row["krippendorff_alpha"]), number(row["fleiss_kappa"])
    return tell("agreement", a=row["a"], b=row["b"], pairs=", ".join(pairs), alpha=alpha, fleiss=fleiss)


def heldout(found: dict[str, Any], tell: Say) -> str:
    """Say the held-out loss of base and tuned model, and whether the tuned one is really lower."""
    if not found:
        return tell("no heldout")
    base, tuned = found["base"], found["tuned"]
    said = tell(
        "heldout", rows=found["rows"], split=found["split"], base=base["loss"], base_p=base["perplexity"],
        tuned=tuned["loss"], tuned_p=tuned["perplexity"],
    )  # fmt: skip
    difference = found.get("difference")
    if not difference:
        return said
    low, high = difference["low"], difference["high"]
    told = "heldout untold" if low <= 0 <= high else "heldout better" if high < 0 else "heldout worse"
    return said + tell("heldout difference", mean=difference["mean"], low=low, high=high, told=tell(told))


def choice(found: dict[str, Any], tell: Say) -> list[str]:
    """Say the accuracy on multiple choice."""
    if not found:
        return []
    scores = ", ".join(f"{who} {rate(entry['accuracy'], entry['interval'])}" for who, entry in found["scores"].items())
    change = found.get("change")
    test = (
        tell("choice change", gained=change["gained"], lost=change["lost"], p=p_value(change["mcnemar_p"]))
        if change
        else ""
    )
    return [tell("choice", n=found["questions"], scores=scores) + test]


def texts(found: dict[str, Any], tell: Say) -> list[str]:
    """Say chrF and ROUGE-L on the test split."""
    said = []
    for name, title in (("chrf", "chrF"), ("rouge_l", "ROUGE-L")) if found else ():
        scores = [f"{who} {entry[name]['mean']:.1f}" for who, entry in found["scores"].items() if who != "difference"]
        change = found["scores"].get("difference", {}).get(name)
        more = tell("texts change", **change) if change else ""
        said.append(tell("texts", title=title, n=found["rows"], scores=", ".join(scores)) + more)
    return said


def contestant(who: str, entry: dict[str, Any], tell: Say) -> str:
    """Say which model answered, and how."""
    settings = ", ".join(f"{name} {value}" for name, value in entry["settings"].items() if name != "system")
    model = entry["model"] or tell("from a file")
    return tell("contestant", who=who, model=model, n=entry["answers"], settings=f" ({settings})" if settings else "")


def rate(value: float | None, interval: list[float]) -> str:
    """Return a rate with its interval, as percentages."""
    return "-" if value is None else f"{value:.1%} [{interval[0]:.0%}, {interval[1]:.0%}]"


def p_value(p: float) -> str:
    """Return a p-value as it is usually written."""
    return "p<0.001" if p < 0.001 else f"p={p:.3f}"
