"""A sweep file as a user writes it: what is compared, what stays fixed. Everything that is wrong is told at once.

title: Which rank?
task: medical_en            # a name or a list; a list does the whole comparison for each
model: qwen3-4b
compare:                    # the axes
  lora_rank: [4, 16, 64]    # any recipe key, task, model, method, hardware, gpus
  data: {full: "", short: "max_output=600"}     # name: settings of the converter
  mix: ["", self_instruct@0.1]                  # what is mixed with the task's rows (docs/self_instruct.md)
mode: grid                  # or one-at-a-time; or `runs:` with one mapping a run in place of `compare:`
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import AfterValidator, BeforeValidator, Field, Strict, model_validator

from common.errors import UserError
from common.options import NAME
from common.overrides import parse_settings, unchecked
from common.schema import Schema, Text, Texts, build, unknown_key
from common.yaml_files import read_yaml
from recipes.llamafactory.keys import known_keys, sorted_out

WORDS = ("task", "model", "method", "hardware", "gpus")
"""What names a run besides its recipe keys and its data; each may be a list, an axis, or stand in a run of `runs`."""
NEEDS = {"heldout": "train", "export": "train", "answer": "export", "judge": "answer", "card": "export"}
"""Steps that cannot be without another."""

Settings = dict[str, Any]


class Value(NamedTuple):
    """One value of an axis: what it is called, and the words, recipe keys and `data` that it sets in a run."""

    label: Any
    changes: Settings


@contextmanager
def _noted(wrong: list[str], place: str) -> Iterator[None]:
    """Note what is wrong with one part, its place in front, and go on behind it."""
    try:
        yield
    except ValueError as error:
        wrong += [place + line for line in str(error).splitlines()]


def _refuse(wrong: Iterable[str]) -> None:
    """Raise when anything is wrong, with all of it."""
    if told := "\n".join(wrong):
        raise ValueError(told)


def _listed(value: Any) -> Any:
    """Take one name, a list of names, or the command line's `a b`."""
    if isinstance(value, str):
        return [value] if value and Path(value).is_dir() else value.replace(",", " ").split()
    return [value] if value is not None and not isinstance(value, list | tuple) else value or []


def _settings(value: Any) -> Settings:
    """Return recipe keys out of a mapping or a SET text, brought to their types."""
    if not isinstance(value, str | Mapping):
        raise ValueError(f'must be settings ("key=value ..." or a mapping), got {value!r}')
    given = unchecked(value) if isinstance(value, str) else value
    checked, problems = sorted_out({str(key): one for key, one in given.items()})
    _refuse(problems)
    return checked


def _axes(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value  # pydantic says what it must be
    found, wrong = dict[str, list[Value]](), list[str]()
    for key, entry in value.items():
        if not isinstance(entry, list | dict) or not entry:
            wrong.append(f"{key} must be a list, or a mapping of names to settings; got {entry!r}")
            continue
        found[key] = []
        named = isinstance(entry, dict) and key not in (*WORDS, "mix")
        for label, one in dict(entry).items() if named else ((None, one) for one in entry):
            with _noted(wrong, f"{key}: {label}: " if named and key != "data" else f"{key}: "):
                found[key].append(_value(key, label, one))
        labels = Counter(str(one.label) for one in found[key])
        wrong += [f"{key} holds {label!r} twice" for label, count in labels.items() if count > 1]
    _refuse(wrong)
    return found


def _value(key: str, label: Any, value: Any) -> Value:
    """Read one value of the axis `key`: `value` itself, or settings that are called `label`."""
    if key == "data":
        return _data(label, value)
    if label is not None:
        return Value(label, _settings(value or {}))
    if key == "mix" and isinstance(value, str):
        return Value(value or "real", {"mix": value})
    if key in WORDS:
        if not isinstance(value, int if key == "gpus" else str | int) or isinstance(value, bool) or not value:
            raise ValueError(f"must be {'a whole number above 0' if key == 'gpus' else 'a name'}, got {value!r}")
        word = value if key == "gpus" else str(value)
        return Value(word, {key: word})
    if key not in known_keys():
        raise ValueError(unknown_key(key, [*WORDS, "data", "mix", *known_keys()]))
    checked = _settings({key: value})
    return Value(checked[key], checked)


def _data(label: Any, value: Any) -> Value:
    """Read one variant of the rows: settings of the converter that are called `label`."""
    if label is None or not isinstance(value, str | dict | None):
        raise ValueError('must name settings of the converter: {full: "", short: "max_output=600"}')
    try:
        settings = parse_settings(value) if isinstance(value, str) else value or {}
    except UserError as error:
        raise ValueError(f"{label}: {error.message}") from None
    return Value(str(label), {"data": (str(label) if settings else "", settings)})


def _runs(value: Any) -> Any:
    """Read the runs of `runs`: each a mapping of words, recipe keys, `data` or `set`."""
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise ValueError(f"must be a list of mappings, got {value!r}")
    found, wrong = list[dict[str, Value]](), list[str]()
    for number, entry in enumerate(value, 1):
        found.append({})
        for key, one in {"set": {}, **entry}.items():  # `set` gives way to the run's own keys
            with _noted(wrong, f"[{number}] "):
                if key == "set":
                    found[-1] |= {name: Value(it, {name: it}) for name, it in _settings(one or {}).items()}
                elif key != "data":
                    found[-1][str(key)] = _value(str(key), None, one)
                elif isinstance(one, dict) and len(one) == 1:
                    found[-1][key] = _data(*next(iter(one.items())))
                else:
                    raise ValueError("data names one variant: {name: settings}")
    _refuse(wrong)
    return found


Words = Annotated[tuple[Text, ...], Strict(False), BeforeValidator(_listed)]
Values = Annotated[tuple[Value, ...], Strict(False)]
Step = Literal["train", "heldout", "export", "answer", "judge", "general", "card"]


def _in_order(steps: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(step for step in get_args(Step) if step in steps)


class SweepFile(Schema):
    """A sweep file with the command line's words in their place."""

    title: Text = ""
    question: Text = ""
    task: Words = ()
    model: Words = ()
    method: Words = ()
    hardware: Words = ()
    gpus: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Strict(False), BeforeValidator(_listed)] = ()
    set: Annotated[Settings, BeforeValidator(_settings)] = Field(default_factory=dict)
    """Recipe keys of all runs."""
    compare: Annotated[dict[str, Values], BeforeValidator(_axes)] = Field(default_factory=dict)
    """The axes."""
    runs: Annotated[tuple[dict[str, Value], ...], Strict(False), BeforeValidator(_runs)] = ()
    """Runs one by one, in place of axes."""
    mode: Literal["grid", "one-at-a-time"] = "grid"
    baseline: Settings = Field(default_factory=dict)
    """Axis -> the value that the others are compared with."""
    skip: Words = ()
    """Names of runs, models, methods or values whose runs are left out."""
    variant: Text = ""
    """In front of every run's own variant."""
    source: str = ""
    limit: Annotated[int, Field(ge=1)] | None = None
    judge: str = "auto"
    questions: str = ""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    steps: Annotated[tuple[Step, ...], Strict(False), AfterValidator(_in_order)] = (
        "train", "heldout", "export", "answer", "judge", "card",
    )  # fmt: skip
    keep: Annotated[tuple[Literal["adapter", "export"], ...], Strict(False)] = ("adapter", "export")
    """Without export, the merged model is removed when its answers are judged."""
    contestants: Texts = ()
    """Outside contestants of the comparison at the end: `chatgpt`, or `name=model@url`."""

    @model_validator(mode="after")
    def _fits_together(self) -> "SweepFile":
        wrong = list(self._wrong_baselines())
        if self.compare and self.runs:
            wrong.append("compare and runs exclude each other: axes, or runs one by one")
        wrong += [f"steps: {one} needs {other}" for one, other in NEEDS.items()
                  if one in self.steps and other not in self.steps]  # fmt: skip
        for key in WORDS:
            fixed, axis = getattr(self, key), key in self.compare
            if axis and fixed:
                wrong.append(f"{key} is both fixed and an axis of compare")
            named = fixed or axis or (self.runs and all(key in run for run in self.runs))
            if key in ("task", "model") and not named:
                wrong.append(f"no {key} is named: `{key}: ...` in the file, or {key.upper()}=... on the command line")
        _refuse(wrong)
        return self

    def _wrong_baselines(self) -> Iterator[str]:
        for key, value in self.baseline.items():
            off_axis = self.mode == "one-at-a-time" and key in known_keys()
            if off_axis or any(key in run for run in self.runs):
                continue  # a recipe key may start at any value
            labels = [one.label for one in self.compare.get(key, ())]
            if key not in self.compare:
                yield f"baseline: {unknown_key(key, self.compare)}"
            elif not any(same(value, label) for label in labels):
                yield f"baseline: {key} has no value {value!r}; it has {', '.join(map(str, labels))}"


def read_sweep_file(path: Path) -> dict[str, Any]:
    """Read a sweep file's mapping."""
    if not path.is_file():
        own = ", ".join(file.as_posix() for file in sorted(Path("recipes/sweeps").glob("*.yaml")))
        hint = f"ready-made ones: {own}; docs/sweeps.md shows how to write one"
        raise UserError(f"there is no sweep file {path}", hint)
    found: dict[str, Any] = read_yaml(path, hint="docs/sweeps.md shows a whole file")
    return found


def read(content: Mapping[str, Any], given: Mapping[str, Any], path: str) -> SweepFile:
    """Return a file's content with the command line's words in their place; UserError with everything that is wrong."""
    content = replaced(content, given)
    if isinstance(data := content.pop("data", None), Mapping) and isinstance(content.setdefault("compare", {}), dict):
        content["compare"] = {"data": data, **content["compare"]}
    content = {key: value for key, value in content.items() if value is not None}
    runs = content.get("runs")
    for place in (content, content.get("compare"), content.get("baseline"), *(runs if isinstance(runs, list) else [])):
        if isinstance(place, dict):
            place |= {key: _in_any_case(place[key]) for key in WORDS if key in place}
    return build(
        SweepFile, content, path, known=[*SweepFile.model_fields, "data"],
        hint="docs/sweeps.md shows every key, `python -m recipes list` every name",
    )  # fmt: skip


def _in_any_case(value: Any) -> Any:
    """Return names of tasks, models, methods and hardware as they are known."""
    if isinstance(value, list):
        return [_in_any_case(one) for one in value]
    return NAME.convert(value, None, None) if isinstance(value, str) else value


def replaced(content: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's content with what the command line says in place of what the file says about it.

    A word (TASK, MODEL ...) takes the place of an axis of that name; a key of SET wins over the file's, axes included.
    """
    found, given = dict(content), dict(given)
    overrides = given.pop("set", {})
    taken = {*(key for key in given if key in WORDS), *overrides}

    def without(mapping: Any) -> Any:
        return {key: one for key, one in mapping.items() if key not in taken} if isinstance(mapping, dict) else mapping

    for key in ("compare", "baseline"):
        if key in found:
            found[key] = without(found[key])
    if isinstance(found.get("runs"), list):
        found["runs"] = [without(run) for run in found["runs"]]
    if overrides:
        own = found.get("set") or {}
        own = unchecked(own) if isinstance(own, str) else own
        found["set"] = {**own, **overrides} if isinstance(own, dict) else own
    return found | given


def same(one: Any, other: Any) -> bool:
    """Tell whether two values of a setting are the same: 2 and 2.0 are, and so are 8 and "8"."""
    try:
        return str(one) == str(other) or (not isinstance(one, bool) and float(one) == float(other))
    except (TypeError, ValueError):
        return False
