"""Preparing a model folder: what is linked, what is corrected, when it is done anew, and what stops it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.errors import UserError
from common.files import read_json, write_json
from recipes.catalog.catalog import Backbone
from recipes.catalog.lookup import find_backbone
from recipes.prepare.download import check_whole, download
from recipes.prepare.prepare import (
    Preparation,
    correct,
    is_prepared,
    link,
    model_path,
    preparation,
    prepare,
    prepared_folder,
)
from tests.checkout import ROOT
from tests.stand_in_hub import Hub

BACKBONE = Backbone(
    name="small-1b",
    hub="org/Small-1B",
    prepare={
        "files": {"chat_template.jinja": "{{ messages }}", "tokenizer_config.json": {"legacy": False}},
        "leave_out": ["*.py", "special_tokens_map.json"],
        "keys": {"config.json": {"tokenizer_class": None, "use_cache": True}},
        "replace": {"notes.txt": [["old words", "new words"]]},
    },
)


@pytest.fixture
def downloaded(tmp_path: Path) -> Path:
    """A repository's files as the hub's cache holds them."""
    folder = tmp_path / "cache"
    folder.mkdir()
    write_json(folder / "config.json", {"model_type": "llama", "tokenizer_class": "Odd", "use_cache": False})
    write_json(folder / "tokenizer_config.json", {"legacy": True})
    write_json(folder / "special_tokens_map.json", {})
    (folder / "tokenizer.model").write_bytes(b"pieces")
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "odd.py").write_text("raise SystemExit")
    (folder / "notes.txt").write_text("some old words here")
    return folder


@pytest.fixture
def at_home(tmp_path: Path, downloaded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of our own, the download being the fixture's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recipes.prepare.prepare.download", lambda _: downloaded)
    return downloaded


def test_weights_are_linked_and_files_corrected_beside_them(at_home: Path) -> None:
    folder = prepare(BACKBONE)
    assert folder == Path("models/small-1b")
    assert sorted(path.name for path in folder.iterdir()) == [
        "chat_template.jinja", "config.json", "model.safetensors", "notes.txt", "prepared.json", "tokenizer.model",
        "tokenizer_config.json",
    ]  # fmt: skip
    assert (folder / "model.safetensors").is_symlink()
    assert read_json(folder / "tokenizer_config.json") == {"legacy": False}
    assert read_json(folder / "config.json") == {"model_type": "llama", "use_cache": True}
    assert (folder / "notes.txt").read_text() == "some new words here"
    assert model_path(BACKBONE) == "models/small-1b"


def test_another_precision_is_a_folder_of_links_whose_config_names_it(at_home: Path) -> None:
    as_stored = Backbone(name="small-1b", hub="org/Small-1B")
    assert model_path(as_stored) == "org/Small-1B"
    assert not is_prepared(as_stored, "float32")
    folder = prepare(as_stored, "float32")
    assert folder == Path(model_path(as_stored, "float32")) == Path("models/small-1b-float32")
    assert {path.name for path in folder.iterdir() if path.is_symlink()} == {
        path.name for path in at_home.iterdir() if path.name != "config.json"
    }
    config = {"model_type": "llama", "tokenizer_class": "Odd", "use_cache": False, "dtype": "float32"}
    assert read_json(folder / "config.json") == config
    assert is_prepared(as_stored, "float32")
    assert not is_prepared(as_stored, "float16")


def test_a_folder_of_ones_own_is_linked_and_seen_when_it_changes(at_home: Path) -> None:
    own = Backbone(name="cache", hub="")
    folder = prepare(own, "float16")
    assert read_json(folder / "config.json")["dtype"] == "float16"
    assert is_prepared(own, "float16")
    (at_home / "model.safetensors").write_bytes(b"trained once more")
    assert not is_prepared(own, "float16")


def test_what_was_downloaded_stays_as_it_was(at_home: Path) -> None:
    before = {path.name: path.read_bytes() for path in at_home.iterdir()}
    prepare(BACKBONE)
    assert {path.name: path.read_bytes() for path in at_home.iterdir()} == before


def test_a_second_time_costs_nothing(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(BACKBONE)
    monkeypatch.setattr("recipes.prepare.prepare.download", lambda _: pytest.fail("downloaded again"))
    assert is_prepared(BACKBONE)
    prepare(BACKBONE)


def test_a_changed_entry_is_prepared_anew(at_home: Path) -> None:
    prepare(BACKBONE)
    changed = BACKBONE.model_copy(
        update={"prepare": {**BACKBONE.prepare, "files": {"chat_template.jinja": "{{ other }}"}}}
    )
    assert not is_prepared(changed)
    folder = prepare(changed)
    assert (folder / "chat_template.jinja").read_text() == "{{ other }}"
    assert not is_prepared(BACKBONE.model_copy(update={"revision": "v2"}))


def test_a_link_that_leads_nowhere_is_prepared_anew(at_home: Path) -> None:
    prepare(BACKBONE)
    (at_home / "model.safetensors").unlink()
    assert not is_prepared(BACKBONE)
    (at_home / "model.safetensors").write_bytes(b"again")
    assert (prepare(BACKBONE) / "model.safetensors").read_bytes() == b"again"


def test_a_broken_off_try_leaves_nothing_that_passes_for_whole(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("recipes.prepare.prepare.correct", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare(BACKBONE)
    assert not prepared_folder(BACKBONE).exists()
    assert is_prepared(BACKBONE) is False
    prepare(BACKBONE)
    assert is_prepared(BACKBONE)


def test_code_that_changed_at_the_hub_is_not_patched_blindly(downloaded: Path, tmp_path: Path) -> None:
    wanted = Preparation(replace={"notes.txt": [("words from before", "x")]})
    link(downloaded, tmp_path)
    with pytest.raises(UserError, match="expected 'words from before' once, found it 0 times"):
        correct(tmp_path, wanted)
    with pytest.raises(UserError, match=r"the hub ships no gone\.json any more"):
        correct(tmp_path, Preparation(keys={"gone.json": {"a": 1}}))


def test_misspelt_keys_are_all_named() -> None:
    backbone = BACKBONE.model_copy(update={"prepare": {"fils": {}, "probe": {"user": "x", "asistant": "y"}}})
    with pytest.raises(UserError) as told:
        preparation(backbone)
    for words in ("unknown key 'fils'; did you mean files?", "probe: unknown key 'asistant'; did you mean assistant?"):
        assert words in told.value.message


@pytest.mark.parametrize("missing", ["model.safetensors", "config.json", "tokenizer"])
def test_a_download_that_lacks_something_is_not_used(downloaded: Path, missing: str) -> None:
    for path in downloaded.glob(f"{missing}*"):
        path.unlink()
    (downloaded / "notes.txt").touch()
    with pytest.raises(UserError, match=r"lacks .*(weights|config\.json|tokenizer)"):
        check_whole(downloaded, "org/name")


def test_every_shard_that_the_index_names_must_be_there(downloaded: Path) -> None:
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    write_json(downloaded / "model.safetensors.index.json", {"weight_map": shards})
    (downloaded / shards["a"]).touch()
    with pytest.raises(UserError, match=r"lacks model-00002-of-00002\.safetensors"):
        check_whole(downloaded, "org/name")


def test_modelscope_is_asked_only_for_what_it_is_known_to_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_MODELSCOPE_HUB", "1")
    with pytest.raises(UserError, match="not known to be on ModelScope"):
        download(BACKBONE)


# --- from the stand-in hub, as a user types it ---


@pytest.fixture
def llamafied(hub: Hub) -> Path:
    """The repository of baichuan2-7b on the stand-in hub."""
    folder = hub.root / "models" / find_backbone("baichuan2-7b").hub
    folder.mkdir(parents=True)
    return folder


def prepare_command(
    hub: Hub, folder: Path, model: str = "baichuan2-7b", **more: str
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **hub.environment(), "PYTHONPATH": str(ROOT), **more}
    command = [sys.executable, "-m", "recipes", "prepare", "--model", model]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )


def fill(folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.model").write_bytes(b"x")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "says", "then"),
    [
        ("gated", "is gated: the hub gives it only to those who have accepted its terms", "hf auth login"),
        ("private", "hiyouga/Baichuan2-7B-Chat-LLaMAfied is not on the hub, or private", "hf auth login"),
        ("offline", "cannot be reached (HF_HUB_OFFLINE is set)", "make prepare MODEL=baichuan2-7b"),
        (
            "nobody",
            "Baichuan2-7B-Chat-LLaMAfied cannot be reached (no network?)",
            "make prepare MODEL=baichuan2-7b",
        ),
        ("partial", "lacks any weights", "prepare again"),
    ],
)
def test_what_the_hub_refuses_is_told_in_one_message(
    hub: Hub, llamafied: Path, trouble: str, says: str, then: str
) -> None:
    fill(llamafied)
    more = {}
    if trouble in ("gated", "private"):
        getattr(hub, trouble).add(find_backbone("baichuan2-7b").hub)
    elif trouble == "offline":
        more["HF_HUB_OFFLINE"] = "1"
    elif trouble == "nobody":
        more["HF_ENDPOINT"] = "http://127.0.0.1:9"
    done = prepare_command(hub, hub.scratch, **more)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert then in done.stderr
    assert "Traceback" not in done.stderr
    assert not (hub.scratch / "models" / "baichuan2-7b").exists()


@pytest.mark.slow
def test_baichuan2_7b_is_prepared_from_its_llamafied_weights(hub: Hub, llamafied: Path, tmp_path: Path) -> None:
    from recipes.rehearsal.twins import make_twin

    make_twin(find_backbone("baichuan2-7b"), llamafied)
    hub.break_after["pytorch_model.bin"] = 1000
    done = prepare_command(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert not hub.break_after, "the download was broken off and gone on with"
    folder = tmp_path / "models" / "baichuan2-7b"
    assert (folder / "pytorch_model.bin").resolve().is_relative_to(tmp_path / "hf")
    assert "<reserved_106>" in (folder / "chat_template.jinja").read_text()
    asked = len(hub.requests)
    assert prepare_command(hub, tmp_path, HF_ENDPOINT="http://127.0.0.1:9").returncode == 0
    assert len(hub.requests) == asked


@pytest.mark.slow
def test_files_that_are_not_what_they_were_stop_it(hub: Hub, llamafied: Path, tmp_path: Path) -> None:
    from recipes.rehearsal.twins import make_twin

    backbone = find_backbone("baichuan2-7b")
    # a tokenizer that puts a space before the text, as Llama's own does
    entry: dict[str, Any] = yaml.safe_load(yaml.safe_dump(backbone.twin))
    entry["sentencepiece"]["add_dummy_prefix"] = True
    make_twin(backbone.model_copy(update={"twin": entry}), llamafied)
    done = prepare_command(hub, tmp_path)
    assert done.returncode == 2, done.stdout
    assert "training on it would go wrong" in done.stderr
    assert "expected ['▁H" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_same_weights_are_not_downloaded_twice(hub: Hub) -> None:
    folder = hub.root / "models" / "org" / "both"
    folder.mkdir(parents=True)
    fill(folder)
    (folder / "model.safetensors").write_bytes(b"w")
    (folder / "pytorch_model.bin").write_bytes(b"w")
    (folder / "original").mkdir()
    (folder / "original" / "consolidated.pth").write_bytes(b"w")
    code = (
        "from recipes.catalog.catalog import Backbone; from recipes.prepare.download import download; "
        "print(*sorted(path.name for path in download(Backbone(name='b', hub='org/both')).iterdir()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **hub.environment()},
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["config.json", "model.safetensors", "tokenizer.model"], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("trouble", "says"), [("missing", "org/other is not on the hub"), ("gated", "is gated")])
def test_an_unknown_model_that_cannot_be_had_is_told_in_one_message(
    hub: Hub, tmp_path: Path, trouble: str, says: str
) -> None:
    if trouble == "gated":
        (hub.root / "models/org/other").mkdir(parents=True)
        fill(hub.root / "models/org/other")
        hub.gated.add("org/other")
    done = prepare_command(hub, tmp_path, "org/other")
    assert done.returncode == 2, done.stdout
    assert says in done.stderr
    assert "Traceback" not in done.stderr
