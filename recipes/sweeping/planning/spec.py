"""A sweep file as a user writes it: what is compared, what stays fixed. All that is wrong is told at once. Pure.

title: Which rank?
task: medical_en            # a word or a list; a list does the whole comparison for each
model: qwen3-4b
compare:                    # the axes
  lora_rank: [4, 16, 64]    # any recipe key, task, model, method, hardware, gpus
  data: {full: "", short: "max_output=600"}     # name: settings of the converter
mode: grid                  # or one-at-a-time; or `runs:` with one mapping a run in place of `compare:`
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError, nearest
from common.overrides import parse_settings
from common.run_files import STEPS
from recipes.llamafactory.keys import known_keys
from recipes.sweeping.planning.values import WORDS, Settings, Value, axis, run_of, same, settings_of, words_of

MODES = ("grid", "one-at-a-time")
KEEP = ("adapter", "export")
NEEDS = {"answer": "export", "judge": "answer", "card": "export"}
"""Steps that cannot be without another."""
KINDS: dict[str, tuple[type, ...]] = {
    "title": (str,), "question": (str,), "mode": (str,), "variant": (str, int), "source": (str,), "limit": (int,),
    "judge": (str,), "questions": (str,), "max_tokens": (int,), "compare": (dict,), "runs": (list,),
    "baseline": (dict,), "set": (str, dict), "steps": (list,), "keep": (list,), "contestants": (list,),
}  # fmt: skip
NAMES = {str: "a text", int: "a whole number", dict: "a mapping", list: "a list"}


@dataclass(frozen=True)
class Spec:
    """A sweep file, read and checked."""

    name: str
    file: str
    title: str = ""
    question: str = ""
    mode: str = "grid"
    words: dict[str, list[Any]] = field(default_factory=dict)
    """For each word the values that the whole comparison is done for."""
    axes: dict[str, list[Value]] = field(default_factory=dict)
    runs: list[dict[str, Value]] = field(default_factory=list)
    """Runs listed one by one, in place of axes."""
    baseline: Settings = field(default_factory=dict)
    settings: Settings = field(default_factory=dict)
    variant: str = ""
    source: str = ""
    limit: int | None = None
    judge: str = "auto"
    questions: str = ""
    max_tokens: int | None = None
    steps: tuple[str, ...] = STEPS
    keep: tuple[str, ...] = KEEP
    contestants: tuple[str, ...] = ()
    """Outside contestants of the comparison at the end: `chatgpt`, or `name=model@url`."""


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, and 1e-4 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands there twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_file(path: Path) -> dict[str, Any]:
    """Read a sweep file's mapping."""
    if not path.is_file():
        own = ", ".join(file.as_posix() for file in sorted(Path("recipes/sweeps").glob("*.yaml")))
        raise UserError(
            f"there is no sweep file {path}", f"ready-made ones: {own}; docs/sweeps.md shows how to write one"
        )
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8", f"iconv -f gb18030 -t utf-8 {path} > new.yaml") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}", "mend it and try again") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no mapping", "see recipes/sweeps/*.yaml and docs/sweeps.md")
    return content


def build(content: Mapping[str, Any], given: Mapping[str, Any], name: str, file: str) -> Spec:
    """Return the spec of a file's content with the command line's words in their place; UserError with all problems."""
    problems: list[str] = []
    content = replaced(content, given)
    known = [*KINDS, *WORDS, "data"]
    problems += [f"unknown key {key!r}; {nearest(str(key), known)}".rstrip("; ") for key in content if key not in known]
    problems += [problem for key in KINDS if (problem := _wrong_kind(key, content))]
    right = {key: value for key, value in content.items() if key in known and not _wrong_kind(key, content)}
    settings = settings_of(right.get("set") or {}, "set", problems)
    words = {key: words_of(key, right[key], problems) for key in WORDS if right.get(key) not in (None, "")}
    axes = {str(key): axis(str(key), value, problems) for key, value in (right.get("compare") or {}).items()}
    if right.get("data"):
        axes.setdefault("data", axis("data", right["data"], problems))
    runs = [run_of(number, entry, problems) for number, entry in enumerate(right.get("runs") or [], 1)]
    for key in ("limit", "max_tokens"):
        if right.get(key) is not None and right[key] < 1:
            problems.append(f"{key} must be 1 or more, got {right[key]}")
    for key, choices in (("steps", STEPS), ("keep", KEEP), ("mode", MODES)):
        problems += _choices(key, right.get(key), choices)
    problems += _misfits(right, words, axes, runs)
    if problems:
        raise UserError(
            f"{file} cannot be used:\n  - " + "\n  - ".join(dict.fromkeys(problems)),
            "mend these; docs/sweeps.md shows every key, `python -m recipes list` every name",
        )
    names = {item.name for item in fields(Spec)} - {"name", "file", "words", "axes", "runs", "settings"}
    rest = {key: value for key, value in right.items() if key in names and value is not None}
    lists: dict[str, Any] = {key: tuple(rest.pop(key)) for key in ("steps", "keep", "contestants") if key in rest}
    if "steps" in lists:
        lists["steps"] = tuple(step for step in STEPS if step in lists["steps"])
    rest["variant"] = str(rest.get("variant", ""))
    return Spec(name=name, file=file, words=words, axes=axes, runs=runs, settings=settings, **rest, **lists)


def replaced(content: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's content with what the command line says in place of what the file says about it.

    A word (TASK, MODEL ...) takes the place of an axis of that name; a key of SET wins over the file's, axes included.
    """
    found = dict(content)
    given = {key: value for key, value in given.items() if value not in (None, "")}
    overrides = dict(given.pop("set", {}))
    taken = {*(key for key in given if key in WORDS), *overrides}
    if isinstance(found.get("compare"), dict):
        found["compare"] = {key: value for key, value in found["compare"].items() if key not in taken}
    if isinstance(found.get("baseline"), dict):
        found["baseline"] = {key: value for key, value in found["baseline"].items() if key not in taken}
    if isinstance(found.get("runs"), list):
        found["runs"] = [
            {key: value for key, value in run.items() if key not in taken} if isinstance(run, dict) else run
            for run in found["runs"]
        ]
    if overrides:
        own = found.get("set") or {}
        found["set"] = {**(parse_settings(own) if isinstance(own, str) else own), **overrides}
    return found | given


def _wrong_kind(key: str, content: Mapping[str, Any]) -> str:
    value = content.get(key)
    kinds = KINDS.get(key)
    if value is None or kinds is None:
        return ""
    if isinstance(value, kinds) and not isinstance(value, bool):
        return ""
    return f"{key} must be {' or '.join(NAMES[kind] for kind in kinds)}, got {value!r}"


def _choices(key: str, value: Any, choices: tuple[str, ...]) -> list[str]:
    values = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return [
        f"{key}: unknown {one!r}; {nearest(str(one), choices) or ', '.join(choices)}"
        for one in values
        if one not in choices
    ]


def _misfits(
    content: Mapping[str, Any], words: Mapping[str, Any], axes: Mapping[str, Any], runs: list[dict[str, Value]]
) -> list[str]:
    """Return what does not go together within the file."""
    problems = []
    if axes and runs:
        problems.append("compare and runs exclude each other: axes, or runs one by one")
    steps = content.get("steps") or list(STEPS)
    problems += [
        f"steps: {step} needs {other}" for step, other in NEEDS.items() if step in steps and other not in steps
    ]
    problems += [] if "train" in steps else ["steps: train is missing, and the others need it"]
    for key in ("task", "model"):
        if key not in words and key not in axes and not (runs and all(key in run for run in runs)):
            problems.append(f"no {key} is named: `{key}: ...` in the file, or {key.upper()}=... on the command line")
    for key in WORDS:
        if key in words and key in axes and key in content:
            problems.append(f"{key} is both fixed and an axis of compare")
    return problems + _baseline_problems(content, axes)


def _baseline_problems(content: Mapping[str, Any], axes: Mapping[str, list[Value]]) -> list[str]:
    problems = []
    for key, value in (content.get("baseline") or {}).items():
        if key not in axes and key not in known_keys():
            problems.append(f"baseline: {key!r} is no axis of compare; {nearest(str(key), axes)}".rstrip("; "))
        elif key not in axes and content.get("mode") != "one-at-a-time":
            problems.append(f"baseline: {key!r} is no axis of compare")
        elif key in axes and (content.get("mode") != "one-at-a-time" or key in WORDS or key == "data"):
            labels = [one.label for one in axes[key]]
            if labels and not any(same(value, label) for label in labels):
                problems.append(f"baseline: {key} has no value {value!r}; it has {', '.join(map(str, labels))}")
    return problems
