"""Where a task's rows come from: a local file or folder (SOURCE), or the hub through huggingface_hub."""

import os
import re
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from common.errors import REFUSALS, UserError
from common.files import sha256
from converters.read.files import SUFFIXES
from converters.task import File, Task

TRIES = 4
SPLIT_WORDS = {
    "test": "test|testing|eval|evaluation",
    "val": "val|valid|validation|dev",
    "train": "train|training",
}
NO_ROWS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
"""What the hub's libraries write beside the rows."""
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
        raise UserError(f"{whose} does not exist: {source}", "give a file or folder that does")
    found = _in_folder(task, path) if path.is_dir() else [SourceFile(path, _spec(task, Path(path.name)))]
    if not task.files and all(item.spec.split in ("val", "test") for item in found):
        # Nothing else to train on: `rows_test.jsonl` is a name like any other.
        found = [SourceFile(item.path, replace(item.spec, split="")) for item in found]
    notes: tuple[str, ...] = ()
    missing = [file.path for file in task.files if file not in {item.spec for item in found}]
    if path.is_dir() and missing and len(found) < len(task.files):
        notes = (f"{source} lacks {', '.join(missing)}; going on with {len(found)} of {len(task.files)} files",)
    identity = {item.spec.path: {"bytes": item.path.stat().st_size, "sha256": sha256(item.path)} for item in found}
    return Source(source, tuple(found), identity, notes)


def _in_folder(task: Task, folder: Path) -> list[SourceFile]:
    """Return the task's own files where they are there; else every data file, when the task has but one kind."""
    found = []
    for spec in task.files:
        for path in (folder / spec.path, folder / Path(spec.path).name):
            if path.is_file():
                found.append(SourceFile(path, spec))
                break
    if found:
        return found
    others = sorted(path for path in folder.rglob("*") if path.is_file() and _holds_rows(path.relative_to(folder)))
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


def _holds_rows(path: Path) -> bool:
    """Tell whether a file of a data set's folder is one with rows, by its name."""
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.suffix.lower() in SUFFIXES and path.name not in NO_ROWS


def split_of(path: Path) -> str:
    """Return the split that a file's name tells of, or else its folder's, as on the hub; "" when they tell none."""
    for name in (path.stem, *reversed(path.parts[:-1])):
        for split, words in SPLIT_WORDS.items():
            if re.search(rf"(?:^|[^a-z])(?:{words})(?:[^a-z]|$)", name.lower()):
                return split
    return ""


def _from_hub(task: Task) -> Source:
    from huggingface_hub.utils import disable_progress_bars
    from huggingface_hub.utils import logging as hub_logging

    hub_logging.set_verbosity_error()  # what goes wrong is told in our own words, once
    if not sys.stderr.isatty():
        disable_progress_bars()
    commit = _commit(task)
    wanted = task.files or _data_files(task, commit)
    files = tuple(SourceFile(_download(task, file.path, commit), file) for file in wanted)
    return Source(f"{task.hub}@{commit}", files, {"hub": task.hub, "commit": commit})


def _data_files(task: Task, commit: str) -> tuple[File, ...]:
    """Return all data files of the hub's repository, for a task that names none."""
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        names = HfApi().list_repo_files(task.hub, repo_type="dataset", revision=commit)
    except HfHubHTTPError as error:
        raise _hub_error(task, "", error) from error
    except (OfflineModeIsEnabled, OSError, httpx.HTTPError) as error:
        raise _no_network(task, error) from None
    found = sorted(name for name in names if _holds_rows(Path(name)))
    if not found:
        raise UserError(f"{task.hub} has no file of a kind that can be read", f"it needs one of {', '.join(SUFFIXES)}")
    return tuple(File(name, task.columns, split_of(Path(name)), task.optional) for name in found)


def _commit(task: Task) -> str:
    """Return the commit that the task's revision stands for; without network, the one that was downloaded last."""
    if len(task.revision) == 40:
        return task.revision
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        return str(HfApi().dataset_info(task.hub, revision=task.revision, timeout=20).sha)
    except HfHubHTTPError as error:
        raise _hub_error(task, "", error) from error
    except (OfflineModeIsEnabled, OSError, httpx.HTTPError) as error:
        cached = _cached_commit(task)
        if cached:
            return cached
        raise _no_network(task, error) from None


def _cached_commit(task: Task) -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    reference = Path(HF_HUB_CACHE) / f"datasets--{task.hub.replace('/', '--')}" / "refs" / task.revision
    return reference.read_text().strip() if reference.is_file() else ""


def _download(task: Task, path: str, commit: str) -> Path:
    """Download one file into the hub's cache, resuming what was broken off, and return where it lies."""
    import httpx
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    for attempt in range(1, TRIES + 1):
        try:
            got = hf_hub_download(task.hub, path, repo_type="dataset", revision=commit)
            _remember(task, Path(got), commit)
            return Path(got)
        except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
            raise _no_network(task, error) from None
        except HfHubHTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            if status < 500 or attempt == TRIES:
                raise _hub_error(task, path, error) from error
            wrong: Exception = error
        except (OSError, httpx.HTTPError) as error:
            if isinstance(error, OSError) and error.errno in REFUSALS:  # a full disk is not the network's fault
                raise
            wrong = error
        if attempt == TRIES:
            break
        print(f"the download of {path} broke off ({wrong}); going on, try {attempt + 1} of {TRIES}", file=sys.stderr)
        time.sleep(min(2**attempt, 10) * float(os.environ.get("WHETSTONE_RETRY_SECONDS", "1")))
    raise UserError(
        f"the download of {path} from {task.hub} broke off {TRIES} times: {wrong}",
        f"the same command goes on where it stopped; or {EXPLICIT_SOURCE}",
    ) from wrong


def _remember(task: Task, downloaded: Path, commit: str) -> None:
    """Note in the hub's own cache which commit the revision stood for, so that it is found again without network."""
    if len(task.revision) == 40:
        return
    for folder in downloaded.parents:
        if folder.name == "snapshots":
            reference = folder.parent / "refs" / task.revision
            if not reference.is_file() or reference.read_text() != commit:
                reference.parent.mkdir(parents=True, exist_ok=True)
                reference.write_text(commit)


def _no_network(task: Task, error: Exception) -> UserError:
    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    why = "HF_HUB_OFFLINE is set" if offline else "no network?"
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UserError(f"{task.hub} cannot be reached ({why}): {first}", EXPLICIT_SOURCE)


def _hub_error(task: Task, path: str, error: Exception) -> UserError:
    """Say what the hub's refusal means."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return UserError(
            f"{task.hub} is gated: its owner wants to know who downloads it",
            f"accept the terms on {task.url or 'its page'} and log in (`hf auth login`), or {EXPLICIT_SOURCE}",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return UserError(f"{task.hub} is not on the hub, or private", f"log in (`hf auth login`), or {EXPLICIT_SOURCE}")
    if isinstance(error, errors.RevisionNotFoundError):
        return UserError(f"{task.hub} has no revision {task.revision}", EXPLICIT_SOURCE)
    if isinstance(error, errors.EntryNotFoundError):
        return UserError(f"{task.hub}@{task.revision} has no file {path}{_there(task)}", EXPLICIT_SOURCE)
    first = str(error).strip().splitlines()[0]
    return UserError(f"the hub refused {task.hub} {path}: {first}", f"try again later, or {EXPLICIT_SOURCE}")


def _there(task: Task) -> str:
    """Return " (there are: ...)" with the data files that the repository has, "" when it cannot be asked."""
    from huggingface_hub import HfApi

    try:
        names = HfApi().list_repo_files(task.hub, repo_type="dataset", revision=task.revision)
    except Exception:  # an addition to an error that is told anyway
        return ""
    return f" (there are: {', '.join(name for name in names if _holds_rows(Path(name)))})"
