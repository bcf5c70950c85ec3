"""A rehearsal: the whole run, from conversion to judged page, on a tiny model of the backbone's own kind, on a CPU.

It takes a few of the user's own rows and the user's own METHOD and SET, so what would fail after an hour of GPU fails
here within minutes. All of it happens in a folder of its own, which is deleted when the run went through.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import typed
from common.errors import UserError
from common.files import read_json, read_object, write_json, write_text
from common.names import root_task
from common.overrides import as_set, parse_settings
from common.paths import CACHE, data_folder, questions_file
from common.subprocesses import command
from recipes.catalog.catalog import HERE
from recipes.catalog.datasets import INFO, is_own
from recipes.catalog.lookup import find_backbone
from recipes.prepare.prepare import correct, preparation
from recipes.rehearsal.twins import make_twin, settings_for

ROWS = 60
QUESTIONS = 2
SMALL = {"max_steps": 2, "cutoff_len": 256, "preprocessing_num_workers": 1, "save_steps": 1}
"""What makes a run short, whatever SET says."""


def rehearse(*, task: str, model: str, method: str, overrides: str, source: str, questions: str) -> None:
    """Do the whole run in a folder below cache/; end as it ends."""
    began, backbone = time.monotonic(), find_backbone(model)
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="rehearsal-", dir=CACHE)).resolve()
    print(f"a rehearsal of {task} x {model} x {method} in {folder}", flush=True)
    twin = Path("models") / backbone.name.replace("/", "--")
    make_twin(backbone, folder / twin)
    correct(folder / twin, preparation(backbone))
    if Path("tasks").is_dir():
        (folder / "tasks").symlink_to(Path("tasks").resolve())
    rows: dict[str, Any] = {} if _own_rows(task, folder) else {"limit": ROWS, "source": _source(task, source)}
    settings = settings_for(backbone) | parse_settings(overrides) | SMALL
    line = command(
        "recipes", "run", task=root_task(task), model=twin.as_posix(), method=method, hardware="cpu", force=True,
        set=as_set(settings), judge="reference", questions=_few(task, questions, folder), max_tokens=8, **rows,
    )  # fmt: skip
    places = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": places, typed.WITHIN: "1"}
    done = subprocess.run(line, cwd=folder, env=environment, check=False)
    if done.returncode:
        print(f"\nthe rehearsal stopped here, as the run would; what it wrote is in {folder}", file=sys.stderr)
        sys.exit(done.returncode)
    shutil.rmtree(folder)
    print(f"\nrehearsed in {time.monotonic() - began:.0f} s, from conversion to judged page; nothing of it is kept")
    print("not rehearsed: memory and speed of the real model (make plan)")


def _own_rows(task: str, folder: Path) -> bool:
    """Take along the rows of an entry of dataset_info.json that is no task's; tell whether it is one."""
    if not is_own(task):
        return False
    entries = read_object(INFO)
    for entry in entries.values():
        if isinstance(entry, dict) and "file_name" in entry:
            entry["file_name"] = str(Path(entry["file_name"]).resolve())
    write_json(folder / INFO, entries)
    return True


def _source(task: str, source: str) -> str:
    """Return where the rows come from: what SOURCE says, else what the converted rows were made from."""
    card = data_folder(root_task(task)) / "card.json"
    if not source and card.is_file():
        made_from = read_json(card)["made_from"]
        source = "" if "hub" in made_from["source_files"] else made_from["source"]
    return str(Path(source).resolve()) if source and Path(source).exists() else source


def _few(task: str, questions: str, folder: Path) -> str:
    """Write the first questions alone; return their file. Those that are no JSON Lines are all asked."""
    path = Path(questions) if questions else questions_file(task)
    if not path.is_file():
        raise UserError(f"there are no questions to be judged on: {path}", "QUESTIONS=my.jsonl names yours")
    if path.suffix != ".jsonl":
        return str(path.resolve())
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    write_text(folder / "questions.jsonl", "\n".join(lines[:QUESTIONS]) + "\n")
    return "questions.jsonl"
