"""A backbone's files from the Hugging Face hub (or ModelScope, when LLaMA-Factory's own switch says so)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import UserError
from common.files import read_json
from recipes.catalog.catalog import Backbone
from recipes.hub_cache import snapshot

NOT_NEEDED = ("original/*", "*.pth", "*.gguf", "*.onnx*", "*.h5", "*.msgpack", "*.pdf")
WEIGHTS = ("*.safetensors", "*.bin")


def uses_modelscope() -> bool:
    """Tell whether models come from ModelScope: the variable that LLaMA-Factory itself goes by."""
    return os.environ.get("USE_MODELSCOPE_HUB", "0").lower() in ("1", "true")


def download(backbone: Backbone) -> Path:
    """Return the folder with all of the backbone's files; what was downloaded before is kept, also of a broken try."""
    if uses_modelscope():
        if not backbone.modelscope:
            raise UserError(
                f"{backbone.name} is not known to be on ModelScope",
                "take it from the Hugging Face hub: unset USE_MODELSCOPE_HUB",
            )
        from modelscope import snapshot_download

        folder = Path(snapshot_download(backbone.modelscope, ignore_file_pattern=list(NOT_NEEDED)))
    else:
        folder = _from_hub(backbone)
    check_whole(folder, backbone.hub)
    return folder


def _from_hub(backbone: Backbone) -> Path:
    from huggingface_hub import HfApi, constants, snapshot_download

    with clear_errors(backbone):
        # Without network what was downloaded earlier will do.
        unneeded = list(NOT_NEEDED)
        if not constants.HF_HUB_OFFLINE:
            names = HfApi().list_repo_files(backbone.hub, revision=backbone.revision)
            if any(name.endswith(".safetensors") for name in names):
                unneeded.append("*.bin")  # the same weights again
        return Path(snapshot_download(backbone.hub, revision=backbone.revision, ignore_patterns=unneeded))


def ensure_config(backbone: Backbone) -> None:
    """Fetch the config.json of a hub id that no entry speaks for: a plan needs its shape, and a wrong id shows."""
    if backbone.shape or not backbone.hub or uses_modelscope() or snapshot(backbone.hub):
        return
    from huggingface_hub import hf_hub_download

    with clear_errors(backbone):
        hf_hub_download(backbone.hub, "config.json", revision=backbone.revision)


@contextmanager
def clear_errors(backbone: Backbone) -> Iterator[None]:
    """Turn what the hub's client raises into one clear error."""
    from huggingface_hub import errors

    where = f"{backbone.hub} (revision {backbone.revision})"
    again = f"make prepare MODEL={backbone.name}"
    try:
        yield
    except errors.GatedRepoError:
        raise UserError(
            f"{where} is gated: the hub gives it only to who has accepted its licence",
            f"accept it on the model's page on the hub, then: hf auth login; then: {again}",
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(
            f"the hub has no {where}, or it is private",
            f"check the id; if it is private: hf auth login; then: {again}",
        ) from None
    except errors.RemoteEntryNotFoundError as error:
        raise UserError(f"{where} is no model: {_short(error)}", "check the id") from None
    except errors.RevisionNotFoundError:
        raise UserError(f"the hub has no such revision of {where}", "check it in recipes/backbones/") from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, ConnectionError) as error:
        raise UserError(f"{where} cannot be downloaded: {_short(error)}", f"with a network: {again}") from None
    except Exception as error:
        if isinstance(error, UserError) or not type(error).__module__.startswith(("httpx", "httpcore", "huggingface")):
            raise
        raise UserError(
            f"the download of {where} was broken off: {type(error).__name__}: {_short(error)}",
            f"{again} goes on where it stopped",
        ) from None


def _short(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no network"])[0]


def check_whole(folder: Path, source: str) -> None:
    """Stop when weights, config or tokenizer are missing from what was downloaded."""
    names = {path.name for path in folder.iterdir()}
    wanted = {"config.json"}
    indexes = sorted(folder.glob("*.index.json"))
    for index in indexes:
        wanted |= set(read_json(index)["weight_map"].values())
    if indexes and any(name.endswith(".safetensors") for name in wanted):
        wanted = {name for name in wanted if not name.endswith(".bin")}
    missing = sorted(wanted - names)
    if not any(Path(name).match(pattern) for name in names for pattern in WEIGHTS):
        missing.append("any weights")
    if not any(name.startswith("tokenizer") for name in names):
        missing.append("a tokenizer")
    if missing:
        raise UserError(
            f"what was downloaded of {source} lacks {', '.join(missing)} ({folder})",
            f"delete {folder} and prepare again; if it stays so, the repository has changed",
        )
