"""The report's text in Pandoc's Markdown: an experiment, the author's words and the figures' captions in. Pure."""

import re
from collections import Counter
from typing import Any
from unicodedata import east_asian_width

from common.templates import environment
from eval.reporting import cases, tables
from eval.reporting.conclusions import in_short, sentences
from eval.reporting.experiment import Experiment, shared_settings
from eval.reporting.language import TEMPLATES, Language
from eval.result.sentences import caveats

LONGEST = 420
"""Characters of an answer, or of a judge's reason."""
MOST_CAVEATS = 8
MARKUP = re.compile(r"([!-/:-@\[-`{-~])")


def render(
    experiment: Experiment, words: dict[str, str], figures: dict[str, dict[str, Any]], most_cases: int, tell: Language
) -> str:
    """Return the report's text; `most_cases` of each kind are shown, the first of each in the main part."""

    def shortened(text: str, most: int = LONGEST) -> str:
        return cut(text, most, tell)

    known = environment(TEMPLATES)
    known.filters |= {
        "e": escape,
        "said": escape_but_code,
        "table": lambda table: table.markdown(escape, tell),
        "cut": shortened,
    }
    shown, more = cases.chosen(experiment, most_cases)
    same, _ = shared_settings([run for run in experiment.runs if run.manifest])
    text = known.get_template("report.md.jinja").render(
        experiment=experiment, tell=tell, words=words, figures=figures, in_short=in_short(experiment, tell),
        shared=", ".join(f"{key} {tables.value(value)}" for key, value in same.items()),
        evaluation=evaluation(experiment, tell), findings=sentences(experiment, tell), cases=shown, more_cases=more,
        caveats=warnings(experiment, tell), tables=tables.all_of(experiment), rankings=tables.rankings(experiment),
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
        asked = sorted({result["questions"] for result in results})
        said.append(tell("judged design", asked=asked, sampled=", ".join(sampled), judges=experiment.judges))
    return tell.join(said) or tell("nothing measured")


def warnings(experiment: Experiment, tell: Language) -> list[str]:
    """Return every warning of the runs' results once, with how many of them it was given for."""
    done = experiment.done
    given = Counter(warning for run in done if run.result for warning in caveats(run.result, tell.name))
    found = [
        tell.join([warning, tell("of runs", n=n, all=len(done))]) if len(done) > 1 else warning
        for warning, n in given.items()
    ]
    left_out = len(found) - MOST_CAVEATS
    return found[:MOST_CAVEATS] + ([tell("more", n=left_out)] if left_out > 0 else [])


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
