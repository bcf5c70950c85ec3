"""Model folders put right: what LLaMA-Factory cannot use as the hub ships it, made usable once, in `models/`.

What is to be done stands in a backbone's `prepare:` entry (the fields of Preparation); a `dtype` adds that the
weights are loaded in another precision than they are stored in. The folder holds links to
the downloaded weights, with corrected files beside them, and is probed before it counts. It is finished when its
`prepared.json` is there, which is written last and holds what it was made of; a changed entry or a link that leads
nowhere makes it anew.
"""

import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, Strict

from common.errors import UserError
from common.files import read_json, sha256_of, write_json, write_text
from common.paths import MODELS, folder_name
from common.process import only_one
from common.schema import Schema, Texts, build
from common.subprocesses import call
from common.versions import versions
from recipes.catalog.catalog import Backbone, backbones
from recipes.prepare.download import download, ensure_config, uses_modelscope
from recipes.prepare.probe import Probe, check, check_unknown

MARKER = "prepared.json"


class Preparation(Schema, use_attribute_docstrings=False):
    """What turns a backbone's files, as the hub ships them, into a folder that LLaMA-Factory can use."""

    gguf: dict[str, str] = Field(default_factory=dict)
    """{package, file}: the weights are converted from this GGUF file instead of being downloaded."""
    files: dict[str, Any] = Field(default_factory=dict)
    """Files put in the place of the hub's, or beside them: text, or a mapping to be written as JSON."""
    leave_out: Texts = ()
    """Patterns of files that must not be there (they would win over the corrected ones)."""
    keys: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """JSON file -> keys set in it; null takes a key out."""
    replace: dict[str, list[Annotated[tuple[str, str], Strict(False)]]] = Field(default_factory=dict)
    """File -> [what is there exactly once, what takes its place]: corrections to code that ships with weights."""
    probe: Probe | None = None
    """What must be true of the folder."""


def preparation(backbone: Backbone, dtype: str = "") -> Preparation:
    """Read the backbone's `prepare:` entry."""
    wanted = build(Preparation, backbone.prepare, f"`prepare:` of {backbone.name}")
    if not dtype:
        return wanted
    config = wanted.keys.get("config.json", {}) | {"dtype": dtype, "torch_dtype": None}
    return wanted.model_copy(update={"keys": {**wanted.keys, "config.json": config}})


def model_path(backbone: Backbone, dtype: str = "") -> str:
    """Return what LLaMA-Factory is told to load: a prepared folder, a hub id or a local folder."""
    if backbone.prepare or dtype:
        return prepared_folder(backbone, dtype).as_posix()
    if uses_modelscope() and backbone.modelscope:
        return backbone.modelscope
    return backbone.hub or backbone.name


def prepared_folder(backbone: Backbone, dtype: str = "") -> Path:
    """Return where the backbone's prepared folder is, or will be."""
    return MODELS / (folder_name(backbone.name) + (f"-{dtype}" if dtype else ""))


def is_prepared(backbone: Backbone, dtype: str = "") -> bool:
    """Tell whether nothing is left to do: no preparation needed, or done for this very entry, every link whole."""
    if not (backbone.prepare or dtype):
        return True
    folder = prepared_folder(backbone, dtype)
    marker = folder / MARKER
    return (
        marker.is_file()
        and read_json(marker)["entry"] == _entry(backbone, dtype)
        and all(path.exists() for path in folder.iterdir())
    )


def _entry(backbone: Backbone, dtype: str) -> str:
    """Return the hash of all that decides the folder's content."""
    made_of: list[Any] = [backbone.hub, backbone.revision, backbone.prepare]
    if not (backbone.hub or backbone.prepare):  # a local folder, which may have been written anew
        made_of = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in _files(Path(backbone.name))]
    return sha256_of([made_of, dtype] if dtype else made_of)


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.is_file()]


def ensure_prepared(backbone: Backbone, template: str = "", dtype: str = "") -> None:
    """Prepare in a process of its own, so that torch's memory is free again before training.

    A model that no entry speaks for is looked at there: whether its tokenizer keeps text at all, and whether it has
    a chat format (`template` names LLaMA-Factory's, where the user did).
    """
    if is_prepared(backbone, dtype) and backbone.name in backbones():
        return
    made = f"preparing {prepared_folder(backbone, dtype)} (once)" if backbone.prepare or dtype else ""
    print(f"{made or f'looking at {backbone.name}'} ...", flush=True)
    call("recipes", "prepare", model=backbone.name, template=template, dtype=dtype)


def make_ready(backbone: Backbone, template: str = "", dtype: str = "") -> None:
    """Prepare a backbone that needs it; look at a model that no entry speaks for."""
    if backbone.name not in backbones():
        ensure_config(backbone)
        check_unknown(backbone.model_copy(update={"template": template or backbone.template}))
    if backbone.prepare or dtype:
        prepare(backbone, dtype)


def prepare(backbone: Backbone, dtype: str = "") -> Path:
    """Make the folder beside its place, probe it, and rename it when it is whole; return it."""
    folder = prepared_folder(backbone, dtype)
    wanted = preparation(backbone, dtype)
    with only_one(folder.with_name(f".{folder.name}.lock")):
        if is_prepared(backbone, dtype):
            return folder
        unfinished = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        if wanted.gguf:
            from recipes.prepare import gguf_model

            gguf_model.convert(gguf_model.locate(**wanted.gguf), unfinished)
        else:
            link(download(backbone) if backbone.hub else Path(backbone.name), unfinished)
        correct(unfinished, wanted)
        if wanted.probe:
            check(unfinished, wanted.probe, backbone)
        made = {
            "backbone": backbone.name,
            "from": "" if wanted.gguf else f"{backbone.hub}@{backbone.revision}",
            "entry": _entry(backbone, dtype),
            "versions": versions("transformers", "tokenizers", "gguf"),
        }
        write_json(unfinished / MARKER, made)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    return folder


def link(source: Path, folder: Path) -> None:
    """Link every downloaded file into `folder`."""
    for path in _files(source):
        (folder / path.name).symlink_to(path.resolve())


def correct(folder: Path, wanted: Preparation) -> None:
    """Take out what must not be there, write the corrected files; what a link leads to stays as it was."""
    for path in folder.iterdir():
        if any(fnmatch(path.name, pattern) for pattern in wanted.leave_out):
            path.unlink()
    for name, content in wanted.files.items():
        _replace(folder / name, content)
    for name, keys in wanted.keys.items():
        path = _existing(folder / name)
        changed = read_json(path) | keys
        _replace(path, {key: value for key, value in changed.items() if key not in keys or value is not None})
    for name, changes in wanted.replace.items():
        path = _existing(folder / name)
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            if text.count(old) != 1:
                raise UserError(
                    f"{name} has changed at the hub: expected {old.strip()!r} once, found it {text.count(old)} times",
                    "the `replace:` of this backbone in recipes/backbones/ must be made anew for it",
                )
            text = text.replace(old, new)
        _replace(path, text)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"the hub ships no {path.name} any more", "this backbone's `prepare:` must be made anew")
    return path


def _replace(path: Path, content: Any) -> None:
    """Put `content` where a link or nothing was (writing into a link would change the downloaded file)."""
    path.unlink(missing_ok=True)
    if isinstance(content, str):
        write_text(path, content)
    else:
        write_json(path, content)
