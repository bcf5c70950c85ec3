"""Three pairs of answers for the terminal, side by side: the largest win, the largest loss, a tie."""

import os
from collections.abc import Mapping

from common.subprocesses import STEP
from eval.judging.reference_judge import MARGIN
from eval.records.folder import Folder
from eval.statistics.outcomes import outcomes, scored
from eval.statistics.reference_scores import likeness, word_weights

LINES = 6
"""Lines of an answer that are shown."""


def show(folder: Folder, judge: str = "") -> None:
    """Print three pairs of the first two contestants; without a judge, likeness to the reference answer decides.

    Among wins and losses that is also what is called largest. In a longer command they are shown once, by the judge.
    """
    names = list(folder.answers)[:2]
    if len(names) < 2 or (not judge and os.environ.get(STEP)):
        return
    a, b = names
    answers = [folder.answers[who] for who in names]
    asked = {
        question.id: question
        for question in folder.judged_questions
        if all(question.id in given and not given[question.id].error for given in answers)
    }
    weight = word_weights(question.reference for question in asked.values())
    lead = {}  # question -> by how many points a's answer is nearer to the reference than b's
    for id_, q in asked.items():
        near, nearer = (likeness(given[id_].answer, q.text, q.reference, weight) for given in reversed(answers))
        lead[id_] = nearer - near
    if judge:
        said = scored(outcomes(folder.judgments[judge], a, b))
    else:
        said = {id_: 0.5 if abs(more) <= MARGIN else float(more > 0) for id_, more in lead.items()}
    by = f"by {judge}" if judge else "by likeness to the reference answer"
    chosen = {
        f"largest win of {a} {by}": max((id_ for id_ in said if said[id_] > 0.5), key=lead.__getitem__, default=""),
        f"largest win of {b} {by}": min((id_ for id_ in said if said[id_] < 0.5), key=lead.__getitem__, default=""),
        f"a tie {by}": min((id_ for id_ in said if said[id_] == 0.5), key=lambda id_: abs(lead[id_]), default=""),
    }
    for title, id_ in chosen.items():
        if id_:
            _print(title, asked[id_].text, {who: folder.answers[who][id_].answer for who in names})


def _one_line(text: str) -> str:
    """Return a text without line breaks and what a terminal would obey."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())


def _print(title: str, question: str, answers: Mapping[str, str]) -> None:
    """Print a question and its answers in columns, all cut to the terminal's width."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), expand=True)
    room = console.width // len(answers) - 2
    cells = []
    for who, answer in answers.items():
        table.add_column(who, ratio=1, overflow="fold")
        lines = Text(_one_line(answer) or "(empty)").wrap(console, room)
        if len(lines) > LINES:
            lines[LINES - 1].truncate(room - 2)
            lines[LINES - 1].append(" …")
        cells.append(Text("\n").join(lines[:LINES]))
    table.add_row(*cells)
    console.print(f"\n{title}", style="bold", markup=False)
    console.print(Text(_one_line(question)), no_wrap=True, overflow="ellipsis")
    console.print(table)
