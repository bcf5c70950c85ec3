"""A conversion in parts: the first pass over shards of the rows, made anywhere, and their merge into one result."""

import shutil
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import read_json
from common.paths import data_folder
from common.process import only_one
from converters.convert import complete, identity_of
from converters.output.dataset_info import register
from converters.passes.first_pass import Shard, Stage, broken_part, check_broken, load, save, stage
from converters.read.sources import Source, SourceFile, find_source
from converters.settings import build_settings
from converters.task import File, Task


def convert_shard(
    task: Task, shard: Shard, source: str = "", given: dict[str, Any] | None = None, processes: int = 0
) -> Path:
    """Run the first pass over one shard and keep it in data/TASK/shards for `merge`; return its folder."""
    settings, options = build_settings(task, given or {})
    found = find_source(task, source)
    identity = identity_of(task, found, settings, options, None)
    folder = data_folder(task.name) / "shards" / f"{shard.number}-of-{shard.count}"
    if (folder / "stage.json").is_file():
        before = read_json(folder / "stage.json")
        if before["identity"] == identity and not broken_part(folder, before):
            print(f"{folder} is there already")
            return folder
    shutil.rmtree(folder, ignore_errors=True)
    try:
        done = stage(task, found, settings, options, folder, shard=shard, processes=processes)
        files = [{"path": file.spec.path, "split": file.spec.split} for file in found.files]
        save(done, {"identity": identity, "shard": [shard.number, shard.count], "files": files, "label": found.label})
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    print(f"{folder}: {done.rows:,} rows read; after the last shard: python -m converters merge --task {task.name}")
    return folder


def merge(task: Task, given: dict[str, Any] | None = None, processes: int = 0) -> dict[str, Any]:
    """Decide on the rows of all shards together, and write what one conversion would have written."""
    settings, options = build_settings(task, given or {})
    folder = data_folder(task.name)
    kept = sorted(folder.glob("shards/*/stage.json"))
    if not kept:
        raise UserError(f"no shards in {folder}/shards", f"python -m converters convert --task {task.name} --shard 1/2")
    loaded = [load(path.parent) for path in kept]
    identity, count = loaded[0][1]["identity"], loaded[0][1]["shard"][1]
    if any(about["identity"] != identity for _, about in loaded):
        raise UserError("the shards were made with different settings or sources", "make those anew that differ")
    if {"settings": settings.as_dict(), "options": options} != {key: identity[key] for key in ("settings", "options")}:
        raise UserError("the shards were made with other settings than these", "give merge the same --format and --set")
    missing = sorted(set(range(1, count + 1)) - {about["shard"][0] for _, about in loaded})
    if missing or len(loaded) != count:
        raise UserError(
            f"of {count} shards these are missing: {', '.join(map(str, missing)) or 'none, but there are others'}",
            f"python -m converters convert --task {task.name} --shard {(missing or [1])[0]}/{count}",
        )
    stages = [done for done, _ in loaded]
    total = Stage(folder)
    for done in stages:
        total.rows, total.dropped = total.rows + done.rows, total.dropped + done.dropped
        for step, reasons in done.examples.items():
            total.examples.setdefault(step, []).extend(reasons)
    check_broken(total, settings)
    about = loaded[0][1]
    with only_one(folder):
        made = complete(task, settings, stages, identity=identity, source=_source_of(about), processes=processes)
    print(f"{folder}/shards can go now")
    register()
    return made


def _source_of(about: dict[str, Any]) -> Source:
    files = tuple(SourceFile(Path(file["path"]), File(file["path"], (), file["split"])) for file in about["files"])
    return Source(about["label"], files)
