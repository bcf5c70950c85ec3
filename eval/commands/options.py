"""Options that several commands take, handed to them in groups."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import reduce, wraps
from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.llm.pool import Limits
from common.options import existing_run, options_of
from common.paths import RUNS, run_folder
from common.process import in_use
from eval.answering.ask import THOUGHT
from eval.answering.served_model import thinking
from eval.records.folder import Folder
from eval.records.judgments import Pairing
from eval.records.questions import Question, language_of, load_questions
from eval.result import page
from eval.result.tables import show

Command = Callable[..., Any]
taking = options_of(Path(__file__).parents[1] / "options.yaml")


def grouped(kind: type, name: str, *options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Add `options` whose values a command takes together, as one `kind` (a dataclass), as its argument `name`."""

    def decorate(command: Command) -> Command:
        @wraps(command)
        def wrapped(**given: Any) -> Any:
            group = kind(**{field.name: given.pop(field.name) for field in fields(kind) if field.name in given})
            return command(**{name: group}, **given)

        made: Command = wrapped
        return reduce(lambda made, option: option(made), reversed(options), made)

    return decorate


@dataclass(frozen=True)
class Place:
    """Which folder: by a run's names, or by its path."""

    task: str
    model: str
    method: str
    variant: str
    run: str

    def existing(self) -> Folder:
        """Return the folder of a run, in use until the command ends; UserError when it is not there."""
        folder = existing_run(self.run, self.task, self.model, self.method, self.variant)
        click.get_current_context().with_resource(in_use(folder))
        return Folder(folder)

    def any(self) -> Folder:
        """Return a folder that need not be there: an endpoint or a file answers without a run."""
        if self.run:
            return Folder(Path(self.run))
        if not self.task:
            raise UserError("nowhere to keep the answers", "give RUN=folder, or TASK=...")
        if not self.model:
            return Folder(RUNS / self.task / "endpoints")
        return Folder(run_folder(self.task, self.model, self.method, self.variant))


@dataclass(frozen=True)
class Compared:
    """Whose answers are compared."""

    who: tuple[str, ...]
    pair: tuple[tuple[str, str], ...]  # the pairs to be compared; none: everyone with everyone

    def pairings(self, folder: Folder, questions: Path | None = None) -> tuple[list[Question], list[Pairing], str]:
        """Return the questions (all that were answered, or those of a file), the pairs, and the pairs' language."""
        asked = [q for q in (load_questions(questions) if questions else folder.questions) if q.use == "judge"]
        work = folder.pairings(asked, self.who, self.pair)
        return asked, work, language_of([pairing.question.text for pairing in work])


@dataclass(frozen=True)
class Sampling:
    """How a model is to write."""

    max_tokens: int  # 0 where it is for the command to say
    temperature: float

    @property
    def settings(self) -> dict[str, Any]:
        """Return what is sent with each request."""
        return {"temperature": self.temperature, "max_tokens": self.max_tokens}

    def beside_thoughts(self, run: Path, who: Iterable[str]) -> "Sampling":
        """Return the same with room for a thought, where one of a run's models thinks before it answers."""
        return replace(self, max_tokens=self.max_tokens + THOUGHT) if thinking(run, who) else self


place = grouped(Place, "place", taking("run", "place"))
compared = grouped(Compared, "compared", taking("compared"))
sampling, sampling_512, sampling_1024 = (
    grouped(Sampling, "sampling", taking(group)) for group in ("sampling", "sampling 512", "sampling 1024")
)
limits = grouped(Limits, "limits", taking("limits"))


def system_of(folder: Folder, task: str, given: str | None = None) -> str:
    """Return the system prompt to ask with: as given, or the one that the task's rows are trained with."""
    if given is None:
        given = folder.manifest.get("data", {}).get("system")
    if given is not None or not task:
        return given or ""
    from converters.registry import system_prompt

    return system_prompt(task)


def show_result(folder: Folder) -> None:
    """Compute a folder's result, write metrics.json and result.html, and show it."""
    show(page.publish(folder))
