"""Several processes do what one does, in the same order."""

from pathlib import Path

import pytest

from common.files import sha256
from converters.convert import convert
from converters.registry import load_task
from tests.bench.lookalikes import write_task


@pytest.mark.slow
def test_several_processes_write_what_one_writes(tmp_path):
    write_task("law_zh", tmp_path, 0.015)
    hashes = []
    for processes in (1, 3):
        card = convert(load_task("law_zh"), str(tmp_path / "law_zh"), processes=processes, force=True)
        assert card["bytes"] > 4 << 20  # less is left to one process
        hashes.append({path.name: sha256(path) for path in Path("data/law_zh").glob("*.jsonl")})
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 4
