"""Converted rows on the hub, when a person asks for it: the splits as they are, and a card that says what they are."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from common.hub import Repository
from common.paths import data_folder
from common.templates import fill
from converters.rows.formats import entry

PAGES = Path(__file__).parents[1] / "pages"
SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Our splits, and what `datasets` calls them."""


def push(card: dict[str, Any], repository: str) -> str:
    """Upload a task's splits to `repository` (you/name; made private if it is new) and return its address."""
    folder = data_folder(card["task"])
    with tempfile.TemporaryDirectory(dir=folder, prefix=".push-") as name:
        parcel = Path(name)
        for split in _splits(card):
            os.link(folder / f"{split}.jsonl", parcel / f"{split}.jsonl")
        (parcel / "README.md").write_text(dataset_card(card, repository), encoding="utf-8")
        hub = Repository(repository, "dataset", way_out="the same command tries again")
        return hub.upload(parcel, f"{card['task']}, converted by Whetstone")


def _splits(card: dict[str, Any]) -> list[str]:
    return [split for split in SPLITS if card["files"][split]["rows"]]


def dataset_card(card: dict[str, Any], repository: str) -> str:
    """Return README.md of the repository: facts that the hub reads, then what a reader wants to know."""
    splits = _splits(card)
    files = [{"split": SPLITS[split], "path": f"{split}.jsonl"} for split in splits]
    facts = {
        "language": [card["language"]], "task_categories": ["text-generation"], "pretty_name": card["title"],
        "tags": [tag for tag in (card["domain"], card["format"], "llama-factory") if tag],
        "configs": [{"config_name": "default", "data_files": files}],
    }  # fmt: skip
    used = entry(card["format"], "", card["system"], card["history"])
    del used["file_name"]
    return fill(
        PAGES / "dataset_card.md.jinja", card=card, splits=splits, names=SPLITS, repository=repository,
        facts=yaml.safe_dump(facts, sort_keys=False, allow_unicode=True),
        source=card["url"] or Path(card["source"]).name,
        registered=json.dumps({card["task"]: {"hf_hub_url": repository, **used}}, indent=2),
    ).rstrip()  # fmt: skip
