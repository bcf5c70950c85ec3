"""What a report is made from: the runs of an experiment with all that was measured of each. Pure."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from common.names import root_task
from common.paired_loss import paired_difference
from common.run_files import HeldOut, LogRow, Manifest, Step
from common.sweep_files import DONE
from eval.records.folder import Folder
from eval.statistics.outcomes import correct

SHOWN_SETTINGS = (
    "stage", "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size",
    "gradient_accumulation_steps", "cutoff_len", "packing", "neat_packing", "lora_rank", "lora_alpha", "lora_target",
    "quantization_bit", "bf16", "fp16", "max_samples", "seed",
)  # fmt: skip
"""The recipe's keys that a report's tables name; recipe.yaml has all of them."""


@dataclass(frozen=True)
class RunFacts:
    """One run: its names, how far it is, and what its files say (empty where there is no such file)."""

    name: str
    folder: Path
    task: str
    model: str
    method: str
    state: str = DONE
    error: str = ""
    point: dict[str, Any] = field(default_factory=dict)
    """Axis -> this run's value, in a sweep."""
    baseline: str = ""
    """Name of the run that it is compared with, in a sweep."""
    group: str = ""
    """The sweep that it is part of."""
    contestant: str = "tuned"
    """What its tuned model is called where the models meet."""
    base: str = "base"
    manifest: Manifest = field(default_factory=Manifest)
    heldout: HeldOut = field(default_factory=HeldOut)
    result: dict[str, Any] = field(default_factory=dict)
    """What `eval.result.metrics.build` returns of its folder."""
    log: list[LogRow] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    lengths: dict[str, list[int]] = field(default_factory=dict)
    """Characters of each judged answer of the base and the tuned model, and of the references."""

    @property
    def settings(self) -> dict[str, Any]:
        """The recipe's settings."""
        return self.manifest.get("identity", {}).get("settings", {})

    @property
    def base_task(self) -> str:
        """The task whose questions it is judged on."""
        return root_task(self.task)

    @property
    def train(self) -> Step:
        """What was noted when training ended."""
        return self.manifest.get("steps", {}).get("train", Step())

    def comparison(self, judge: str) -> dict[str, Any]:
        """Return what a judge says about its tuned model against its base; empty when it was not asked."""
        return _between(self.result, judge, "tuned", "base")


class Meeting(NamedTuple):
    """Where the models of one task were judged against each other."""

    folder: Folder
    result: dict[str, Any]


@dataclass(frozen=True)
class Experiment:
    """All that a report tells of."""

    name: str
    commands: list[str]
    """The commands that do it all again."""
    runs: list[RunFacts]
    title: str = ""
    question: str = ""
    axes: dict[str, list[Any]] = field(default_factory=dict)
    meetings: dict[tuple[str, str], Meeting] = field(default_factory=dict)
    """(sweep, task) -> where its models met."""
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Task, variants among them -> card.json of its rows."""
    rankings: dict[tuple[str, str, str], list[dict[str, Any]]] = field(default_factory=dict)
    """(sweep, task, judge) -> Bradley-Terry rows."""
    files: dict[str, str] = field(default_factory=dict)
    """Sweep file -> its text as it stands."""

    @property
    def done(self) -> list[RunFacts]:
        """The runs with results, each once: sweeps may share one."""
        found: dict[Path, RunFacts] = {}
        for run in self.runs:
            if run.state == DONE:
                found.setdefault(run.folder, run)
        return list(found.values())

    @property
    def tasks(self) -> list[str]:
        """The tasks whose questions were asked."""
        return list(dict.fromkeys(run.base_task for run in self.runs))

    @property
    def varied(self) -> list[str]:
        """The axes with their values."""
        return [f"{axis} ({', '.join(map(str, values))})" for axis, values in self.axes.items()]

    @property
    def starts(self) -> list[str]:
        """The names of the baselines."""
        return [run.name for run in self.runs if run.baseline == run.name]

    @property
    def judges(self) -> dict[str, str]:
        """Judge -> its kind, of all that judged anywhere; a panel after its members."""
        rows = [row for result in self.results for row in result.get("comparisons", [])]
        return {row["judge"]: row["kind"] for row in rows}

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results of all runs and meetings."""
        return [run.result for run in self.done] + [meeting.result for meeting in self.meetings.values()]

    @property
    def lead_judge(self) -> str:
        """The judge that rankings and case studies go by: the panel, else a model, a person, the stand-in."""
        order = ("panel", "model", "human", "stand-in")
        return min(self.judges, key=lambda judge: order.index(self.judges[judge]), default="")

    @property
    def missing(self) -> list[RunFacts]:
        """The runs without results."""
        return [run for run in self.runs if run.state != DONE]

    @property
    def compared(self) -> list[tuple[RunFacts, RunFacts]]:
        """Each run with results that is not its own baseline, and the baseline, in every sweep that holds it."""
        starts = [(run, self.run(run.baseline)) for run in self.runs if run.state == DONE]
        return [(run, start) for run, start in starts if start and start.state == DONE and start is not run]

    def run(self, name: str) -> RunFacts | None:
        """Return a run by its name."""
        return next((run for run in self.runs if run.name == name), None)

    def against(self, run: RunFacts, judge: str) -> dict[str, Any]:
        """Return a judge's comparison of a run with its baseline; empty when there is none."""
        start, meeting = self.run(run.baseline), self.meetings.get((run.group, run.base_task))
        if not start or not meeting or start.name == run.name:
            return {}
        return _between(meeting.result, judge, run.contestant, start.contestant)


def joined(parts: list[Experiment]) -> Experiment:
    """Return several experiments as one; each run is called by its sweep as well."""
    if len(parts) == 1:
        return parts[0]
    whole = Experiment("-".join(part.name for part in parts), [], [])
    axes: dict[str, dict[Any, None]] = defaultdict(dict)
    for part in parts:
        whole.commands.extend(part.commands)
        whole.runs.extend(map(_called, part.runs))
        for name in ("meetings", "cards", "rankings", "files"):
            getattr(whole, name).update(getattr(part, name))
        for axis, values in part.axes.items():
            axes[axis] |= dict.fromkeys(values)
    title, question = ([said for part in parts if (said := getattr(part, name))] for name in ("title", "question"))
    shown = {axis: list(values) for axis, values in axes.items()}
    return replace(whole, title=" / ".join(title), question=" ".join(question), axes=shown)


def corrected(experiment: Experiment) -> Experiment:
    """Return the experiment with Holm's p over all that a table shows: runs against their base, meetings."""
    pairs = [row for run in experiment.done for row in run.result.get("comparisons", [])]
    correct([row for row in pairs if {row["a"], row["b"]} == {"tuned", "base"}])
    correct([row for meeting in experiment.meetings.values() for row in meeting.result["comparisons"]])
    return experiment


def short(name: str, most: int = 28) -> str:
    """Return a name that a table has room for: its beginning and its end, where it is longer than `most`."""
    return name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"


def with_short_names(experiment: Experiment) -> Experiment:
    """Return the experiment with names that tables have room for, as far as they still differ."""
    names = [run.name for run in experiment.runs]
    taken = Counter(map(short, names))
    called = {name: short(name) for name in names if taken[short(name)] == 1}
    runs = [replace(run, name=called.get(run.name, run.name), baseline=called.get(run.baseline, run.baseline))
            for run in experiment.runs]  # fmt: skip
    return replace(experiment, runs=runs)


def _called(run: RunFacts) -> RunFacts:
    before = f"{run.group}: " if run.group else ""
    return replace(run, name=before + run.name, baseline=run.baseline and before + run.baseline)


def _between(result: dict[str, Any], judge: str, a: str, b: str) -> dict[str, Any]:
    """Return a judge's comparison of two contestants as seen from `a`; empty when they did not meet."""
    rows = [row for row in result.get("comparisons", []) if row["judge"] == judge and {row["a"], row["b"]} == {a, b}]
    if not rows or rows[0]["a"] == a:
        return rows[0] if rows else {}
    row, rate, (low, high) = rows[0], rows[0]["win_rate"], rows[0]["interval"]
    return row | {
        "a": a, "b": b, "wins": row["losses"], "losses": row["wins"],
        "win_rate": None if rate is None else 1 - rate, "interval": [1 - high, 1 - low],
    }  # fmt: skip


def ranked_of(experiment: Experiment, group: str, task: str) -> str:
    """Return what tells a ranking from the others of the experiment: its sweep, its task; "" where there is one."""
    keys = [key[:2] for key in experiment.rankings]
    parts = [value for place, value in enumerate((group, task)) if len({key[place] for key in keys}) > 1]
    return ", ".join(filter(None, parts))


def loss_against(run: RunFacts, start: RunFacts, comparisons: int = 1) -> dict[str, float] | None:
    """Return how the held-out loss of one tuned model differs from another's, with its interval.

    The interval is widened for so many `comparisons`. None where both were not measured on the same tokens: losses a
    token of different tokenizers cannot be compared.
    """
    one, other = (facts.heldout.get("row_losses") for facts in (start, run))
    if not one or not other or one["tokens"] != other["tokens"]:
        return None
    return paired_difference(one["tuned"], other["tuned"], one["tokens"], comparisons)


def shared_settings(runs: list[RunFacts]) -> tuple[dict[str, Any], list[str]]:
    """Return the shown settings that all runs have in common, and the keys of those that differ."""
    keys = [key for key in SHOWN_SETTINGS if any(key in run.settings for run in runs)]
    differing = [key for key in keys if any(run.settings.get(key) != runs[0].settings.get(key) for run in runs)]
    return {key: runs[0].settings.get(key) for key in keys if key not in differing}, differing
