"""The report's text in Pandoc's Markdown: an experiment, the author's words and the figures' captions in. Pure."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from eval.records.folder import Folder
from eval.reporting import cases as case_studies
from eval.reporting import tables
from eval.reporting.author import GUIDANCE
from eval.reporting.conclusions import sentences
from eval.reporting.experiment import Experiment, shared_settings
from eval.reporting.figures import Drawn
from eval.result.page import pairs

TEMPLATES = Path(__file__).with_name("templates")
TITLES = {
    "win": "Gained",
    "loss": "Lost",
    "inconsistent": "The judge wavered",
}
LONGEST_ANSWER = 420
LONGEST_REASON = 420
"""Characters."""
MOST_CAVEATS = 8


@dataclass(frozen=True)
class Case:
    """One case study, ready to be shown."""

    title: str
    question: str
    answers: list[tuple[str, str]]
    judged: list[tuple[str, str]]


def render(experiment: Experiment, words: dict[str, str], figures: dict[str, Drawn], most_cases: int) -> str:
    """Return the report's text; `most_cases` of each kind are shown, the first of each in the main part."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"e": escape, "table": lambda table: table.markdown(escape), "case": case_text}
    shown, more = case_list(experiment, most_cases)
    same, _ = shared_settings([run for run in experiment.runs if run.manifest])
    settings = ", ".join(f"{key} {tables.value(setting)}" for key, setting in same.items())
    text = environment.get_template("report.md.jinja").render(
        experiment=experiment, words=words, guidance=GUIDANCE, figures=figures,
        design=design(experiment), shared=settings, evaluation=evaluation(experiment),
        implementation=implementation(experiment), findings=sentences(experiment), rule=case_studies.RULE,
        cases=shown, more_cases=more, caveats=caveats(experiment),
        tables={
            "runs": tables.runs(experiment), "data": tables.data(experiment), "heldout": tables.heldout(experiment),
            "judged": tables.judged(experiment), "against_baseline": tables.against_baseline(experiment),
            "over_seeds": tables.over_seeds(experiment),
            "other_scores": tables.other_scores(experiment), "cost": tables.cost(experiment),
            "judges": tables.judges(experiment), "versions": tables.versions(experiment),
            "hashes": tables.hashes(experiment), "rankings": tables.rankings(experiment),
        },
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text)


def escape(text: Any) -> str:
    """Return a text that Pandoc shows as it stands: nothing in it is markup, and it stays on one line."""
    plain = "".join(char if char.isprintable() else " " for char in str(text))
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", re.sub(r"\s+", " ", plain)).strip()


def design(experiment: Experiment) -> str:
    """Say what was compared, in one or two sentences."""
    count = len(experiment.runs)
    varied = [f"{axis} ({', '.join(map(str, values))})" for axis, values in experiment.axes.items()]
    said = f"{count} run{'s' if count > 1 else ''} on {_and(experiment.tasks)}"
    said += f"; varied: {'; '.join(varied)}" if varied else ""
    starts = [run.name for run in experiment.runs if run.baseline == run.name]
    said += f"; the baseline is {_and(starts)}" if starts else ""
    hardware = list(dict.fromkeys(run.manifest["hardware"] for run in experiment.done if run.manifest))
    return f"{said}. Trained on: {_and(hardware)}."


def evaluation(experiment: Experiment) -> str:
    """Say how the answers were got and judged."""
    results = [run.result for run in experiment.done if run.result.get("comparisons")]
    said = []
    if any(run.heldout for run in experiment.done):
        said.append(
            "Held-out loss is measured on test rows that no run was trained on, both models on the same tokens; "
            "the interval resamples rows."
        )
    if results:
        asked = sorted({result["questions"] for result in results})
        settings = next(iter(results[0]["contestants"].values()))["settings"]
        twice = any(kind in ("model", "stand-in") for kind in experiment.judges.values())
        both = ": each pair in both orders, and a pair on which the orders disagree is a tie" if twice else ""
        sampled = ", ".join(
            f"{key} {value}" for key, value in settings.items() if key != "system" and value is not None
        )
        said.append(
            f"Base and tuned model answered the same {_and([str(n) for n in asked])} questions a run ({sampled}). "
            f"Judged by {_and(list(experiment.judges))}{both}. The question is the unit; win rates have Wilson "
            "intervals, the sign test is exact and corrected by Holm."
        )
    return " ".join(said) or "Nothing has been measured yet."


def implementation(experiment: Experiment) -> str:
    """Say what the code did, in one or two sentences."""
    found = dict.fromkeys(run.manifest["versions"].get("llamafactory", "") for run in experiment.done if run.manifest)
    rows = (
        "Whetstone's converters clean, filter and split the rows (the table of the data has what each step dropped)"
        if experiment.cards
        else "Whetstone leaves the rows as they are"
    )
    return (
        f"{rows}; its recipes are rendered to YAML, by which LLaMA-Factory {_and(list(found))} trains, exports and "
        "serves; its eval package asks, judges and counts."
    )


def caveats(experiment: Experiment) -> list[str]:
    """Return every warning of the runs' results once, with how many of them it was given for."""
    given = Counter(warning for run in experiment.done for warning in run.result.get("warnings", []))
    many = len(experiment.done) > 1
    found = [
        f"{warning} ({count} of {len(experiment.done)} runs)" if many else warning for warning, count in given.items()
    ]
    left_out = len(found) - MOST_CAVEATS
    return found[:MOST_CAVEATS] + ([f"{left_out} more: see the runs' metrics.json."] if left_out > 0 else [])


def case_list(experiment: Experiment, most: int) -> tuple[list[Case], list[Case]]:
    """Return the case studies of the main part (the first of each kind) and those of the appendix."""
    main: list[Case] = []
    more: list[Case] = []
    for task in experiment.tasks:
        run = case_studies.best_run(experiment, task, experiment.lead_judge)
        if run is None or not most:
            continue
        chosen = case_studies.choose(pairs(Folder(run.folder)), most)
        for kind, found in chosen.items():
            for number, case in enumerate(found):
                where = more if number or len(main) >= len(TITLES) else main
                where.append(_case(kind, case, run.name if len(experiment.done) > 1 else ""))
    return main, more


def _case(kind: str, case: dict[str, Any], run: str) -> Case:
    title = f"{TITLES[kind]}{f', {run}' if run else ''} (question {case['id']})"
    texts = [("Base", case["base"]), ("Tuned", case["tuned"])]
    texts += [("Reference", case["reference"])] if case["reference"] else []
    judged = []
    for said in case["judges"]:
        orders = said["orders"]
        winners = " and ".join(f"{order['winner'] or 'no verdict'} ({order['first']} first)" for order in orders)
        reasons = [text for order in orders[:1] for text in order["texts"][-1:] if text]
        judged.append((f"{said['judge']}: {winners}", cut(reasons[0], LONGEST_REASON) if reasons else ""))
    return Case(
        title, cut(case["question"], LONGEST_ANSWER), [(who, cut(text, LONGEST_ANSWER)) for who, text in texts], judged
    )


def cut(text: str, most: int) -> str:
    """Return a text on one line, its end left out where it takes more room than so many letters (Chinese takes two)."""
    line = " ".join(text.split())
    room, end = 0, 0
    for end, char in enumerate(line):  # noqa: B007
        room += 2 if east_asian_width(char) in "WF" else 1
        if room > most:
            break
    else:
        return line
    blank = line.rfind(" ", end - 30, end)
    return f"{line[: blank if blank > 0 else end]} … ({len(line):,} characters)"


def case_text(case: Case) -> str:
    """Return a case study in Pandoc's Markdown."""
    lines = [f"**{escape(case.title)}.** *{escape(case.question)}*", ""]
    lines += [f"> **{escape(who)}:** {escape(text) or '(empty)'}\n>" for who, text in case.answers]
    lines += [f"> *{escape(who)}.*" + (f" “{escape(text)}”" if text else "") + "\n>" for who, text in case.judged]
    return "\n".join([*lines, ""])


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"
