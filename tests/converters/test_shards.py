"""Shards, made apart and merged, give byte for byte what one conversion gives; so do one process and several."""

from pathlib import Path

import pytest

from common.errors import UserError
from common.files import sha256
from converters.convert import convert
from converters.passes.first_pass import Shard, load
from converters.registry import load_task
from converters.shards import convert_shard, merge
from tests.bench.lookalikes import write_task


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lookalikes")
    write_task("law_zh", folder, 0.015)
    write_task("finance_zh", folder, 0.3)
    return folder


def hashes(task):
    return {path.name: sha256(path) for path in Path(f"data/{task}").glob("*.jsonl")}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["law_zh", "finance_zh"])
def test_merged_shards_are_the_whole(source, task):
    chosen = load_task(task)
    whole = convert(chosen, str(source / task))
    before = hashes(task)
    for path in Path(f"data/{task}").glob("*.json*"):
        path.unlink()
    for number in (3, 1, 2):
        convert_shard(chosen, Shard(number, 3), str(source / task))
    merged = merge(chosen)
    after = hashes(task)
    assert {name: after[name] for name in ("train.jsonl", "val.jsonl", "test.jsonl")} == {
        name: before[name] for name in ("train.jsonl", "val.jsonl", "test.jsonl")
    }
    assert sorted(merged) == sorted(whole)
    for key in ("rows", "source", "lengths", "languages", "identity"):
        assert merged[key] == whole[key], key
    assert [(step["step"], step["dropped"]) for step in merged["steps"]] == [
        (step["step"], step["dropped"]) for step in whole["steps"]
    ]
    assert any(step["dropped"] for step in merged["steps"] if step["step"] == "duplicate")


def test_several_processes_write_what_one_writes(source):
    convert(load_task("law_zh"), str(source / "law_zh"), processes=1)
    before = hashes("law_zh")
    convert(load_task("law_zh"), str(source / "law_zh"), processes=3, force=True)
    assert hashes("law_zh") == before


def test_a_merge_tells_what_is_missing_or_different(source):
    task = load_task("finance_zh")
    with pytest.raises(UserError, match="no shards in"):
        merge(task)
    convert_shard(task, Shard(1, 3), str(source / "finance_zh"))
    with pytest.raises(UserError, match="of 3 shards these are missing: 2, 3") as caught:
        merge(task)
    assert "--shard 2/3" in caught.value.hint
    convert_shard(task, Shard(2, 3), str(source / "finance_zh"), {"seed": 3})
    convert_shard(task, Shard(3, 3), str(source / "finance_zh"))
    with pytest.raises(UserError, match="different settings"):
        merge(task)


def test_a_shard_that_was_copied_in_part_is_told(source):
    task = load_task("finance_zh")
    folder = convert_shard(task, Shard(1, 1), str(source / "finance_zh"))
    (folder / "rows.tsv").write_bytes((folder / "rows.tsv").read_bytes()[:-100])
    with pytest.raises(UserError, match=r"rows\.tsv is not whole"):
        merge(task)
    convert_shard(task, Shard(1, 1), str(source / "finance_zh"))
    assert merge(task)["rows"] == load(folder)[0].rows


@pytest.mark.parametrize("text", ["x", "0/2", "3/2", "1"])
def test_shards_that_are_none(text):
    with pytest.raises(UserError, match="shard"):
        Shard.parse(text)
