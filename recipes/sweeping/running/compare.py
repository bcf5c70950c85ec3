"""After the runs: their answers in one folder for each task, so that one judged comparison and ranking covers all."""

from pathlib import Path

from common.files import read_jsonl, write_jsonl, write_text
from common.llm.endpoint import split_model
from common.subprocesses import call
from common.sweep_files import Plan, Run
from recipes.sweeping.planning.preview import MOST_TO_COMPARE_ALL, meetings
from recipes.sweeping.running.one_run import is_done


def compare(plan: Plan) -> None:
    """Judge the done runs of each task against each other; what was judged before is not judged again."""
    if "judge" not in plan.steps:
        return
    for task in plan.tasks:
        runs = [run for run in plan.of_task(task) if is_done(plan, run)]
        if len(runs) < 2:
            continue
        folder = plan.compare(task)
        names = gather(folder, runs)
        print(f"\n{task}: {len(runs)} tuned models and their bases are compared in {folder}", flush=True)
        for contestant in plan.contestants:
            call("eval", "answer", run=folder, **asked(contestant, task, plan.questions))
        others = [path.stem for path in sorted(folder.glob("answers/*.jsonl")) if path.stem not in names]
        pairs = meetings(runs, others) if len(runs) > MOST_TO_COMPARE_ALL else []
        call("eval", "judge", *(word for pair in pairs for word in ("--pair", *pair)), run=folder, judge=plan.judge)


def asked(contestant: str, task: str, questions: str) -> dict[str, str]:
    """Return the options that ask an outside contestant: `chatgpt`, or `name=model@url`."""
    who, _, where = contestant.partition("=")
    model, url = split_model(where, "contestants") if where else ("", "")
    return {"task": task, "who": who, "model_name": model, "endpoint": url, "questions": questions}


def gather(folder: Path, runs: list[Run]) -> list[str]:
    """Put the runs' answers into a folder, each under its run's own name; return the names, the bases last."""
    sources = {run.contestant: Path(run.folder) / "answers" / "tuned.jsonl" for run in runs}
    sources |= {run.base: Path(run.folder) / "answers" / "base.jsonl" for run in runs}
    for old in folder.glob("answers/*.jsonl"):
        if old.stem not in sources and "of" in next(read_jsonl(old), {}):
            old.unlink()  # of a run that is no longer part of the sweep
    write_text(folder / "questions.jsonl", (Path(runs[0].folder) / "questions.jsonl").read_text(encoding="utf-8"))
    for who, path in sources.items():
        rows = ({**row, "who": who, "of": str(path)} for row in read_jsonl(path))
        write_jsonl(folder / "answers" / f"{who}.jsonl", rows)
    return list(sources)
