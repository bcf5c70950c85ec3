"""Everything about a conversion that a user can set: general settings, and a task's own options beside them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, create_model, model_validator

from common.schema import Count, Schema, Share, Text, build
from converters.task import Task


def _below_one(value: float) -> float:
    if value != -1 and not 0 <= value < 1:
        raise ValueError(f"must be a share below 1, or -1, got {value:g}")
    return value


SplitShare = Annotated[float, AfterValidator(_below_one)]


class Settings(Schema):
    """What SET can set for every task. Lengths are characters, 0 meaning no bound; shares are between 0 and 1."""

    format: Literal["alpaca", "sharegpt"] = "alpaca"
    """alpaca or sharegpt (FORMAT=)."""
    system: bool | Text = False
    """true writes the task's system prompt into every row, a text writes that text."""
    clean: bool = True
    """Repair encodings, white space and invisible characters."""
    html: bool = True
    """Undo HTML entities and simple tags."""
    language: bool = True
    """Drop rows in another language."""
    min_prompt: Count = 2
    """Fewest characters of the prompt."""
    max_prompt: Count = 0
    """Most characters of the prompt."""
    min_output: Count = 1
    """Fewest characters of the answer."""
    max_output: Count = 0
    """Most characters of the answer."""
    exact: bool = True
    """Drop rows that say the same as an earlier one, punctuation and case aside."""
    near: Share = 0.85
    """Drop rows whose question and answer are at least so similar to an earlier row's (0 keeps them)."""
    answers: Count = 0
    """Most answers kept to one question (0 keeps all)."""
    decontaminate: bool = True
    """Drop training rows that hold a judged question, its reference answer, or a test row's question."""
    overlap: Share = 0.8
    """The share of a question's n-grams from which a row counts as holding it."""
    questions: Text = ""
    """Judged questions to stay clear of; empty means eval/questions/TASK*.jsonl."""
    test: SplitShare = -1.0
    """Share of test rows; -1 chooses by the number of rows."""
    val: SplitShare = -1.0
    """Share of validation rows; -1 chooses by the number of rows."""
    seed: int = 0
    """Another seed, another split."""
    errors: Share = 0.05
    """Share of unreadable rows above which the conversion fails."""

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if max(self.test, 0) + max(self.val, 0) >= 1:
            raise ValueError("test and val leave nothing to train on")
        for part in ("prompt", "output"):
            least, most = getattr(self, f"min_{part}"), getattr(self, f"max_{part}")
            if 0 < most < least:
                raise ValueError(f"max_{part} is smaller than min_{part}")
        return self


def settings_model(task: Task) -> type[Settings]:
    """Return the task's own options and the general settings as one model."""
    own = {
        key: (
            Text if isinstance(default, str) else type(default),
            Field(default, description=task.option_help.get(key)),
        )
        for key, default in task.options.items()
    }
    made: type[Settings] = create_model("Settings", __base__=Settings, **own)  # type: ignore[call-overload]
    return made


def build_settings(task: Task, given: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
    """Return the general settings and the task's options with `given` put over the defaults.

    Raises UserError that lists every unknown key and every wrong value at once.
    """
    model = settings_model(task)
    build(model, task.defaults, f"`settings` of task {task.name}")
    values = {**task.defaults, **given}
    problems = []
    if values.get("system") is True and not task.system and not task.has_system:
        problems = [f"task {task.name} has no system prompt, so system must be a text"]
    made = build(model, values, "SET", problems=problems).model_dump()
    options = {name: made.pop(name) for name in task.options}
    return Settings(**made), options
