"""The report's text in Pandoc's Markdown: an experiment, the author's words and the figures' captions in. Pure."""

import re
from collections import Counter
from typing import Any
from unicodedata import east_asian_width

from common.templates import environment
from eval.records.folder import Folder
from eval.reporting import cases as case_studies
from eval.reporting import tables
from eval.reporting.conclusions import in_short, sentences
from eval.reporting.experiment import Experiment, RunFacts, shared_settings
from eval.reporting.language import TEMPLATES, Language
from eval.result.page import pairs
from eval.statistics.reference_scores import word_weights

KINDS = ("win", "loss", "inconsistent")
LONGEST = 420
"""Characters of an answer, or of a judge's reason."""
MOST_CAVEATS = 8
MARKUP = re.compile(r"([!-/:-@\[-`{-~])")


def render(
    experiment: Experiment, words: dict[str, str], figures: dict[str, dict[str, Any]], most_cases: int, tell: Language
) -> str:
    """Return the report's text; `most_cases` of each kind are shown, the first of each in the main part."""
    known = environment(TEMPLATES)
    known.filters |= {"e": escape, "said": escape_but_code, "table": lambda table: table.markdown(escape, tell)}
    shown, more = case_list(experiment, most_cases, tell)
    same, _ = shared_settings([run for run in experiment.runs if run.manifest])
    text = known.get_template("report.md.jinja").render(
        experiment=experiment, tell=tell, words=words, figures=figures, in_short=in_short(experiment, tell),
        shared=", ".join(f"{key} {tables.value(value)}" for key, value in same.items()),
        evaluation=evaluation(experiment, tell),
        findings=sentences(experiment, tell), cases=shown, more_cases=more, caveats=caveats(experiment, tell),
        tables=tables.listed(experiment) | {make.__name__: make(experiment) for make in tables.TABLES},
        rankings=tables.rankings(experiment),
    )  # fmt: skip
    return re.sub(r"\n{3,}", "\n\n", text)


def escape(text: Any) -> str:
    """Return a text that Pandoc shows as it stands: nothing in it is markup, and it stays on one line."""
    return MARKUP.sub(r"\\\1", _one_line(str(text)))


def escape_but_code(text: str) -> str:
    """Return a sentence that Pandoc shows as it stands, with what is in backticks as code."""
    parts = re.split(r"(`[^`]+`)", _one_line(text))
    return "".join(part if place % 2 else MARKUP.sub(r"\\\1", part) for place, part in enumerate(parts))


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def evaluation(experiment: Experiment, tell: Language) -> str:
    """Say how the answers were got and judged."""
    results = [run.result for run in experiment.done if run.result.get("comparisons")]
    said = [tell("heldout design")] if any(run.heldout for run in experiment.done) else []
    if results:
        settings = next(iter(results[0]["contestants"].values()))["settings"]
        sampled = [f"{key} {value}" for key, value in settings.items() if key != "system" and value is not None]
        said.append(
            tell(
                "judged design", asked=sorted({result["questions"] for result in results}), sampled=", ".join(sampled),
                judges=list(experiment.judges),
                twice=any(kind in ("model", "stand-in") for kind in experiment.judges.values()),
            )
        )  # fmt: skip
    return tell.join(said) or tell("nothing measured")


def caveats(experiment: Experiment, tell: Language) -> list[str]:
    """Return every warning of the runs' results once, with how many of them it was given for."""
    from eval.result.sentences import caveats as warnings

    done = experiment.done
    given = Counter(warning for run in done if run.result for warning in warnings(run.result, tell.name))
    of_runs = {n: tell("of runs", n=n, all=len(done)) if len(done) > 1 else "" for n in given.values()}
    found = [tell.join([warning, of_runs[n]]) for warning, n in given.items()]
    left_out = len(found) - MOST_CAVEATS
    return found[:MOST_CAVEATS] + ([tell("more", n=left_out)] if left_out > 0 else [])


def case_list(experiment: Experiment, most: int, tell: Language) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the case studies of the main part (the first of each kind) and those of the appendix."""
    main: list[dict[str, Any]] = []
    more: list[dict[str, Any]] = []
    for task in experiment.tasks:
        run = case_studies.best_run(experiment, task, experiment.lead_judge)
        if run is None or not most:
            continue
        chosen = case_studies.choose(pairs(Folder(run.folder)), most)
        several = len(experiment.done) > 1
        for kind, found in chosen.items():
            for number, case in enumerate(found):
                where = more if number or len(main) >= len(KINDS) else main
                where.append(_case(kind, case, run, several, tell))
    return main, more


def _case(kind: str, case: dict[str, Any], run: RunFacts, several: bool, tell: Language) -> dict[str, Any]:
    """Return one case study, ready to be shown."""
    folder = Folder(run.folder)
    questions = {question.id: question for question in folder.judged_questions}
    weight = word_weights(question.reference for question in questions.values())
    wrong = {}
    for who in ("base", "tuned"):
        key, facts = case_studies.error(folder.answers[who][case["id"]], questions[case["id"]], weight)
        facts = facts | ({"lacking": f"“{cut(facts['lacking'], 60, tell)}”"} if facts.get("lacking") else {})
        wrong[who] = tell(f"error {key}", **facts)
    why = tell(f"why {kind}", votes=case.get(kind, 0), of=len(case["judges"]))
    judged = []
    for said in case["judges"]:
        orders = [
            tell("order", winner=order["winner"] or tell("no verdict"), first=order["first"])
            for order in said["orders"]
        ]
        reasons = [text for order in said["orders"][:1] for text in order["texts"][-1:] if text]
        judged.append((f"{said['judge']}: {tell.names(orders)}", cut(reasons[0], LONGEST, tell) if reasons else ""))
    texts = [("Base", case["base"]), ("Tuned", case["tuned"])]
    texts += [("Reference", case["reference"])] if case["reference"] else []
    return {
        "title": tell("case title", kind=tell(kind), run=run.name if several else "", id=case["id"]),
        "question": cut(case["question"], LONGEST, tell),
        "why": f"{why} {tell('error', **wrong)}",
        "texts": [(tell(who), cut(text, LONGEST, tell) or tell("empty")) for who, text in texts],
        "judged": judged,
    }


def cut(text: str, most: int, tell: Language) -> str:
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
    return f"{line[: blank if blank > 0 else end]} … ({tell('characters', n=f'{len(line):,}')})"
