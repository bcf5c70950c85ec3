"""Model folders as people really have them: cloned without git-lfs, copied in part, cut off while they were fetched."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from recipes.prepare.download import faults


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2):
        save_file({f"layer{number}": np.zeros((100, 10), "float32")}, tmp_path / f"model-{number}.safetensors")
    where = {f"layer{number}": f"model-{number}.safetensors" for number in (1, 2)}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    (tmp_path / "config.json").write_text("{}")
    with zipfile.ZipFile(tmp_path / "pytorch_model.bin", "w") as file:
        file.writestr("data.pkl", b"x" * 1000)
    return tmp_path


def test_a_whole_folder_has_no_faults(folder: Path) -> None:
    assert faults(folder, complete=True) == []


def test_each_fault_is_told_with_its_file(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    (folder / "tokenizer.model").write_bytes(b"")
    (folder / "gone.json").symlink_to(folder / "nowhere")
    (folder / "page.safetensors").write_text("<!doctype html><html>Sign in</html>")
    (folder / "header.safetensors").write_bytes((folder / "model-2.safetensors").read_bytes()[:20])
    whole = (folder / "model-1.safetensors").read_bytes()
    (folder / "model-1.safetensors").write_bytes(whole[:-1000])
    zipped = (folder / "pytorch_model.bin").read_bytes()
    (folder / "pytorch_model.bin").write_bytes(zipped[:-30])
    (folder / "model-2.safetensors").unlink()
    assert faults(folder, complete=True) == [
        "1 shards are missing: model-2.safetensors ...",
        "header.safetensors is cut off",
        f"model-1.safetensors has {len(whole) - 1000:,} bytes of {len(whole):,}",
        "page.safetensors is no safetensors file",
        "pytorch_model.bin is cut off",
        "tokenizer.model is empty",
        "gone.json is a link to nowhere",
        "tokenizer.json is a pointer of git-lfs, not the file itself",
    ]
    assert "missing" not in " ".join(faults(folder, complete=False))  # a download that has only begun
