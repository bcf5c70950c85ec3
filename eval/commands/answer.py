"""`python -m eval answer`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from common import consent
from common.errors import UserError
from common.llm.cache import Cache
from common.llm.default_judge import DEFAULT_MODEL
from common.llm.endpoint import Endpoint
from common.llm.pool import Limits, Pool
from common.llm.quote import Quote, estimate
from common.typed import note
from eval.answering.ask import answers_in, answers_of, own_answers, requests_for, room_for, room_left
from eval.answering.served_model import context_of, thinking
from eval.commands import options
from eval.records.answers import REFUSED, Answer, path_of
from eval.records.folder import Folder
from eval.records.questions import Question, bundled, load_questions, test_split
from eval.result import examples

OWN = ("base", "tuned")  # what a run serves itself; every other name is a model behind an endpoint
MODELS = {"chatgpt": DEFAULT_MODEL}


@dataclass(frozen=True)
class Contestants:
    """Who answers, and where: a run's own models, one model behind an endpoint, or a file."""

    who: tuple[str, ...]
    endpoint: str
    model_name: str
    source: Path | None
    start_timeout: float

    @property
    def own(self) -> bool:
        """Tell whether the run's own models are to answer."""
        return not (self.endpoint or self.model_name or self.source) and all(name in OWN for name in self.who)

    @property
    def names(self) -> list[str]:
        """Return the contestants' names, which become names of files; UserError when one cannot."""
        if self.endpoint and not (self.who or self.model_name):
            raise UserError(
                f"which model at {self.endpoint} is to answer?", f"--model-name; curl {self.endpoint}/models lists them"
            )
        names = list(self.who) or (list(OWN) if self.own else [self.model_name.rpartition("/")[2] or "answers"])
        if not self.own and len(names) != 1:
            raise UserError("an endpoint or a file answers for one contestant", "give one --who")
        for name in names:
            path_of(Path(), name)
        return names

    def endpoint_of(self, name: str, *, needs_key: bool) -> Endpoint | None:
        """Return the endpoint that answers as `name`, None for a run's own models and for a file."""
        if self.own or self.source:
            return None
        return Endpoint.from_environment(self.model_name or MODELS.get(name, name), self.endpoint, needs_key=needs_key)


@dataclass(frozen=True)
class Questions:
    """What is asked."""

    questions: Path | None
    limit: int
    test_rows: int
    system: str | None

    def load(self, task: str) -> list[Question]:
        """Return the questions of a file, or the task's own with its multiple choice, and rows of the test split."""
        if not (self.questions or task):
            raise UserError("no questions were named", "give TASK=medical_en, or QUESTIONS=my.jsonl")
        choice = bundled(task, choice=True)
        files = [self.questions] if self.questions else [bundled(task), *([choice] if choice.exists() else [])]
        asked = [question for file in files for question in load_questions(file, self.limit)]
        return asked + test_split(task, self.test_rows)


@click.command()
@options.place
@options.grouped(Contestants, "contestants", options.taking("contestants"))
@options.grouped(Questions, "questions", options.taking("questions"))
@options.sampling
@options.limits
@options.taking("dry run", "answer")
def command(
    *, place: options.Place, contestants: Contestants, questions: Questions, sampling: options.Sampling, limits: Limits,
    dry_run: bool, yes: bool,
) -> None:  # fmt: skip
    """Get answers to a task's questions and keep them in <run>/answers/<who>.jsonl."""
    names = contestants.names
    folder = place.existing() if contestants.own else place.any()
    task = place.task or folder.task
    asked = questions.load(task)
    system = options.system_of(folder, task, questions.system)
    if not contestants.source:
        sampling, why = _room(sampling, asked, system, folder.path, names if contestants.own else [])
        click.echo(f"room for each answer: {sampling.max_tokens:,} tokens ({why})")
    if not (contestants.source or questions.system):
        click.echo(f"system prompt: {system or 'none'}, as in the training rows")
    requests = requests_for(asked, system, sampling.settings)
    pool = Pool(Cache(), folder.path, limits)
    endpoint = contestants.endpoint_of(names[0], needs_key=not dry_run)
    given = answers_in(contestants.source, names[0], asked) if contestants.source else []
    quote = estimate(endpoint, requests, sampling.max_tokens, pool.cache, about="at most") if endpoint else Quote("")
    if endpoint:
        click.echo(quote)
    lost = _replaced(folder, names, given, {**sampling.settings, "system": system})
    if dry_run:
        click.echo(lost, nl=bool(lost))
        return
    if lost:
        consent.ask(lost, "YES=1 (--yes) goes on; RUN= another folder keeps both", yes)
    consent.to_pay(quote.dollars, limits.budget)
    folder.save_questions(asked, names)
    found: Iterable[tuple[str, list[Answer]]] = [(names[0], given)]
    if endpoint:
        replies = pool.ask_all(f"{names[0]} answers", endpoint, requests)
        found = [(names[0], answers_of(names[0], asked, requests, replies, endpoint.model))]
    elif contestants.own:
        found = own_answers(names, asked, requests, pool, contestants.start_timeout)
    for name, answers in found:
        click.echo(f"{folder.save_answers(name, answers)}: {_summary(answers)}")
    note(folder.path)
    examples.show(folder)


def _room(
    sampling: options.Sampling, asked: list[Question], system: str, run: Path, own: list[str]
) -> tuple[options.Sampling, str]:
    """Return the sampling with the room that answers have, and why so much; `own` are models that the run serves."""
    room, why = sampling.max_tokens, "as MAX_TOKENS says"
    if not room:
        room, why = room_for(asked, thinking(run, own))
        why += "; MAX_TOKENS= sets it"
    context = context_of(run, own)
    if context and (left := room_left(asked, system, context)) < room:
        room, why = left, f"what a context of {context:,} leaves beside the longest question"
    return replace(sampling, max_tokens=room), why


def _replaced(folder: Folder, names: list[str], given: list[Answer], settings: dict[str, object]) -> str:
    """Say what was judged of the answers that `given`, or others with `settings`, replace; "" for nothing."""
    new = {(answer.question, answer.answer) for answer in given}

    def stays(old: Answer) -> bool:
        if given:
            return (old.question, old.answer) in new
        # Of a file nothing is known.
        return bool(old.settings) and all(old.settings.get(name, value) == value for name, value in settings.items())

    counts = {name: folder.judged_and_lost(name, stays) for name in names}
    lost = ", ".join(f"{count} votes and verdicts on answers of {name}" for name, count in counts.items() if count)
    kept = f"the old ones are kept in {folder.path / 'answers' / 'replaced'}"
    return f"{lost} will not count for the new ones; {kept}" if lost else ""


def _summary(given: list[Answer]) -> str:
    """Say how many answers there are, and what is wrong with them."""
    failed = [answer.error for answer in given if answer.error not in ("", REFUSED)]
    counts = {
        f"failed ({''.join(failed[:1])}); the same command tries them again": len(failed),
        "refused by a content filter": sum(answer.error == REFUSED for answer in given),
        "empty": sum(answer.empty for answer in given),
        "cut off: MAX_TOKENS= allows longer ones": sum(answer.cut_off for answer in given),
    }
    answered = f"{sum(not answer.error for answer in given)} answers"
    return "; ".join([answered, *(f"{count} {what}" for what, count in counts.items() if count)])
