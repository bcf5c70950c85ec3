"""`python -m eval compare`."""

import re
from dataclasses import replace
from pathlib import Path

import click

from common.errors import UserError
from common.names import root_task
from common.options import existing_run
from common.paths import RUNS
from eval.commands import judge, options
from eval.records.answers import Answer
from eval.records.folder import Folder
from eval.records.questions import Question


@click.command(context_settings={"ignore_unknown_options": True})
@options.taking("compare")
@click.argument("judging", nargs=-1, type=click.UNPROCESSED)
def command(*, runs: tuple[str, ...], who: tuple[str, ...], name: str, judging: tuple[str, ...]) -> None:
    """Judge the answers of runs against each other, with the options of `judge`; what is there already is used."""
    folders = [Folder(existing_run(run, "", "", "", "")) for run in dict.fromkeys(runs)]
    if len(folders) < 2:
        raise UserError("a comparison takes two runs or more", 'make compare RUN="runs/a runs/b"')
    questions, answers = _gathered(folders, who or ("tuned",))
    out = Folder(RUNS / "compare" / (name or "-vs-".join(answers)[:120]))
    out.save_questions(questions, answers)
    for contestant, given in answers.items():
        out.save_answers(contestant, given)
    names = [word for contestant in answers for word in ("--who", contestant)]
    judge.command.main(["--run", str(out.path), *names, *judging], standalone_mode=False)


def _gathered(folders: list[Folder], who: tuple[str, ...]) -> tuple[list[Question], dict[str, list[Answer]]]:
    """Return the questions that all runs have answered, and the answers by contestant, or raise UserError."""
    missing = [(folder.path, name) for folder in folders for name in who if name not in folder.answers]
    if missing:
        told = ", ".join(f"{path} has none of {name}" for path, name in missing)
        raise UserError(f"answers are missing: {told}", f"make answer RUN={missing[0][0]}")
    tasks = {str(folder.path): root_task(folder.task) for folder in folders if folder.task}
    if len(set(tasks.values())) > 1:
        raise UserError(
            f"these runs are of different tasks: {', '.join(f'{run} of {task}' for run, task in tasks.items())}",
            'compare runs of one task; make result RUN="..." pools the results of several',
        )
    given = {
        label + (f"-{name}" if len(who) > 1 else ""): {
            answer.question: replace(answer, of=f"{folder.path}/answers/{name}.jsonl")
            for answer in folder.answers[name].values()
        }
        for folder, label in zip(folders, _labels([folder.path for folder in folders]), strict=True)
        for name in who
    }
    asked = [q for q in folders[0].judged_questions if all(q.text in answers for answers in given.values())]
    if not asked:
        raise UserError(
            "these runs have answered no question in common", "make answer with the same QUESTIONS= for each"
        )
    answers: dict[str, list[Answer]] = {}
    for label, of in given.items():
        rows = [replace(of[question.text], id=question.id, who=label) for question in asked]
        words = [row.answer for row in rows]
        if same := next((one for one, known in answers.items() if [row.answer for row in known] == words), None):
            click.echo(f"{label} has answered like {same}, word for word, and is left out")
        else:
            answers[label] = rows
    if len(answers) < 2:
        raise UserError("these runs have given the same answers: there is nothing to judge", "name other runs")
    return asked, answers


def _labels(paths: list[Path]) -> list[str]:
    """Return what tells runs apart in their folders' names, as names of contestants."""
    parts = [path.resolve().parts[-3:] for path in paths]
    kept = [place for place in range(min(map(len, parts))) if len({part[place] for part in parts}) > 1]
    names = ["-".join(re.sub(r"[^\w.+-]", "-", part[place]) for place in kept) for part in parts]
    return [name if names.count(name) == 1 else f"{name}-{number}" for number, name in enumerate(names, 1)]
