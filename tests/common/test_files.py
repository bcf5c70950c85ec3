"""Files are whole or absent, and hashes do not depend on key order."""

import pytest

from common.errors import UserError
from common.files import (
    atomic,
    read_json,
    read_jsonl,
    read_object,
    sha256,
    sha256_of,
    write_json,
    write_jsonl,
    write_text,
)


def test_a_block_that_fails_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_jsonl_comes_back_as_it_went_in(tmp_path):
    rows = [{"问题": "发烧？"}, {"a": [1, None, "x\ny"]}]
    assert write_jsonl(tmp_path / "folder" / "rows.jsonl", rows) == 2
    assert list(read_jsonl(tmp_path / "folder" / "rows.jsonl")) == rows
    assert "问题" in (tmp_path / "folder" / "rows.jsonl").read_text(encoding="utf-8")


def test_hashes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    write_json(tmp_path / "b.json", {"a": 2, "b": 1})
    assert sha256(tmp_path / "a.json") != sha256(tmp_path / "b.json")
    assert sha256_of({"b": 1, "a": 2}) == sha256_of({"a": 2, "b": 1})
    assert sha256_of({"a": 1}) != sha256_of({"a": 2})


def test_a_file_that_is_no_json_is_named_with_its_line(tmp_path):
    (tmp_path / "manifest.json").write_text('{"task": "law')
    (tmp_path / "rows.jsonl").write_text('{"id": 1}\n\n{"id"\n')
    (tmp_path / "list.json").write_text("[]")
    for read, says in (
        (lambda: read_json(tmp_path / "manifest.json"), r"manifest\.json is not JSON: "),
        (lambda: list(read_jsonl(tmp_path / "rows.jsonl")), r"line 3 of .*rows\.jsonl is not JSON: "),
        (lambda: read_object(tmp_path / "list.json"), "holds no object"),
    ):
        with pytest.raises(UserError, match=says):
            read()
    assert read_object(tmp_path / "none.json") == {}
