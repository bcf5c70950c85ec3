"""Where a task's rows come from: a local file or folder (SOURCE), or the hub through huggingface_hub."""

import re
import shutil
import tarfile
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from common.errors import UserError, nearest
from common.files import read_json, sha256, sha256_of
from common.hub import Repository
from common.paths import CACHE
from converters.read.files import JSON, SUFFIXES, TABLES, kind_of
from converters.read.text import encoding_of
from converters.task import File, Task

SPLIT_WORDS = {"test": "test|testing|eval|evaluation", "val": "val|valid|validation|dev", "train": "train|training"}
NO_ROWS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
"""What the hub's libraries write beside the rows."""
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
EXPLICIT_SOURCE = "name the rows here: SOURCE=path/to/file-or-folder"


@dataclass(frozen=True)
class SourceFile:
    """A file to be read, and what the task expects of it."""

    path: Path
    spec: File


@dataclass(frozen=True)
class Source:
    """All files of one conversion. `label` names them for people, `identity` for telling whether they changed."""

    label: str
    files: tuple[SourceFile, ...]
    identity: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_source(task: Task, source: str) -> Source:
    """Return the local files that SOURCE names, or the hub's when it is empty."""
    whose = "SOURCE" if source else f"the source of task {task.name}"
    source = source or task.source
    if not source:
        if not task.hub:
            raise UserError(f"task {task.name} names no rows", EXPLICIT_SOURCE)
        return _from_hub(task)
    path = Path(source).expanduser()
    if not path.exists():
        raise no_such_source(source, whose)
    if path.name.lower().endswith(ARCHIVES):
        path = _unpacked(path)
    found = _in_folder(task, path) if path.is_dir() else [SourceFile(path, _spec(task, Path(path.name)))]
    if not task.files and all(item.spec.split in ("val", "test") for item in found):
        # Nothing else to train on: `rows_test.jsonl` is a name like any other.
        found = [SourceFile(item.path, replace(item.spec, split="")) for item in found]
    notes = [
        f"{item.path} is read as {encoding}, not UTF-8"
        for item in found
        if kind_of(item.path) in (*JSON, *TABLES) and (encoding := encoding_of(item.path)) != "utf-8"
    ]
    missing = [file.path for file in task.files if file not in {item.spec for item in found}]
    if path.is_dir() and missing and len(found) < len(task.files):
        notes.append(f"{source} lacks {', '.join(missing)}; going on with {len(found)} of {len(task.files)} files")
    identity = {item.spec.path: {"bytes": item.path.stat().st_size, "sha256": sha256(item.path)} for item in found}
    return Source(source, tuple(found), identity, tuple(notes))


def no_such_source(source: str, whose: str = "SOURCE") -> UserError:
    """Return the error for a path that is not there, with the nearest name beside it."""
    if drive := re.match(r"([A-Za-z]):[\\/]", source):
        inside = source[3:].replace("\\", "/")
        return UserError(f"{whose} does not exist: {source}", f"in WSL it is /mnt/{drive[1].lower()}/{inside}")
    if "://" in source:
        return UserError(f"{whose} must be a file or a folder, got {source}", "download it first")
    path = Path(source).expanduser()
    folder = next(parent for parent in path.parents if parent.is_dir())
    name = path.relative_to(folder).parts[0]
    close = nearest(name, [other.name for other in folder.iterdir()])
    where = "this folder" if folder == Path() else str(folder)
    return UserError(
        f"{whose} does not exist: {source}", f"there is no {name} in {where}{f'; {close}' if close else ''}"
    )


def _unpacked(archive: Path) -> Path:
    """Return the folder with an archive's files, which are unpacked once."""
    about = archive.stat()
    known_by = sha256_of([str(archive.resolve()), about.st_size, about.st_mtime_ns])[:16]
    folder = CACHE / "unpacked" / f"{archive.name}-{known_by}"
    if not folder.is_dir():
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        of_tar = archive.suffix.lower() != ".zip"
        safely: dict[str, Any] = {"filter": "data"} if of_tar else {}
        try:
            shutil.unpack_archive(archive, part, **safely)
        except (shutil.ReadError, zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
            raise UserError(f"{archive} cannot be unpacked: {error}", "unpack it and give the folder") from None
        part.rename(folder)
    return folder


def _in_folder(task: Task, folder: Path) -> list[SourceFile]:
    """Return the task's own files where they are there; else every data file, when the task has but one kind."""
    places = ((spec, [folder / spec.path, folder / Path(spec.path).name]) for spec in task.files)
    found = [SourceFile(path, spec) for spec, paths in places if (path := next(filter(Path.is_file, paths), None))]
    if found:
        return found
    others = sorted(
        path for path in folder.rglob("*") if path.is_file() and _holds_rows(path.relative_to(folder)) and _saved(path)
    )
    if not others:
        raise UserError(
            f"no rows in {folder}: none of {', '.join(file.path for file in task.files) or 'its files is a data file'}",
            f"put one of {', '.join(SUFFIXES)} there",
        )
    return [SourceFile(path, _spec(task, path.relative_to(folder))) for path in others]


def _spec(task: Task, path: Path) -> File:
    """Return what the task expects of a file: known by its name, else what all its files have in common."""
    for spec in task.files:
        if Path(spec.path).name == path.name:
            return spec
    columns, optional = task.columns, task.optional
    if task.files:
        common = set.intersection(*(set(spec.columns) for spec in task.files))
        columns = tuple(column for column in task.files[0].columns if column in common)
        optional = task.files[0].optional
    own_splits = not task.files or any(spec.split for spec in task.files)
    return File(path.as_posix(), columns, split_of(path) if own_splits else "", optional)


def _holds_rows(name: str | Path) -> bool:
    """Tell whether a file of a data set's folder is one with rows, by its name."""
    path = Path(name)
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and kind_of(path) in SUFFIXES and path.name not in NO_ROWS


def _saved(path: Path) -> bool:
    """Tell whether a file belongs to its data set: `datasets` leaves caches beside what save_to_disk wrote."""
    state = path.with_name("state.json")
    if path.suffix != ".arrow" or not state.is_file():
        return True
    return path.name in {file["filename"] for file in read_json(state)["_data_files"]}


def split_of(path: Path) -> str:
    """Return the split that a file's name tells of, or else its folder's, as on the hub; "" when they tell none."""
    for name in (path.stem, *reversed(path.parts[:-1])):
        for split, words in SPLIT_WORDS.items():
            if re.search(rf"(?:^|[^a-z])(?:{words})(?:[^a-z]|$)", name.lower()):
                return split
    return ""


def _from_hub(task: Task) -> Source:
    hub = Repository(task.hub, "dataset", task.revision, EXPLICIT_SOURCE, task.page)
    commit = hub.commit()
    wanted = task.files or [_spec(task, Path(name)) for name in hub.files(commit) if _holds_rows(name)]
    if not wanted:
        raise UserError(f"{task.hub} has no supported file", f"it needs one of {', '.join(SUFFIXES)}")
    files = tuple(SourceFile(hub.download(file.path, commit, _holds_rows), file) for file in wanted)
    return Source(f"{task.hub}@{commit}", files, {"hub": task.hub, "commit": commit})
