"""No row, however odd, crashes a converter or vanishes: rows in are rows out and rejected, always."""

import json
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converters.convert import convert
from converters.read.files import Chunk
from converters.registry import ORDER, load_task
from converters.rows.stage_row import process
from converters.settings import build_settings
from converters.text.cleaning import cleaner

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(st.characters(categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


NAMES = st.text() | st.text(st.characters(categories=["Cs"]))


def columns(task):
    own = {name: VALUES for file in load_task(task).files for name in (*file.columns, "id", "score", "label")}
    return st.fixed_dictionaries({}, optional=own) | st.dictionaries(NAMES, VALUES, max_size=3)


@pytest.mark.slow
@pytest.mark.parametrize("task", ORDER)
@QUICK
@given(data=st.data())
def test_any_row_comes_out_once(task, data):
    chosen = load_task(task)
    rows = data.draw(st.lists(columns(task) | st.binary(max_size=40), max_size=6))
    formatting = data.draw(st.sampled_from(["alpaca", "sharegpt"]))
    general, options = build_settings(chosen, {"format": formatting, "system": data.draw(st.booleans())})
    staged = process(Chunk(0, 1, rows), chosen.files[0], chosen, general, options)
    assert len(staged.lines) + len(staged.rejected.lines) == len(rows)
    assert staged.rejected.counts.total() == len(staged.rejected.lines)
    assert all(len(array) == len(staged.lines) for array in staged.arrays.values())
    for line in staged.lines:
        converted, asked, original = line.rstrip(b"\n").split(b"\t")
        assert isinstance(orjson.loads(asked), str)
        assert orjson.loads(converted)
        orjson.loads(original)
    for line in staged.rejected.lines:
        assert set(orjson.loads(line)) == {"step", "reason", "file", "number", "row"}


@pytest.mark.slow
@QUICK
@given(
    content=st.lists(
        st.binary(max_size=60) | VALUES.map(lambda v: json.dumps({"question": v, "answer": v}).encode()), min_size=1
    )
)
def test_any_file_is_counted_to_the_last_line(content, tmp_path):
    good = [json.dumps({"question": f"第{i}次感冒怎么办？", "answer": f"第{i}次多喝水。"}).encode() for i in range(3)]
    (tmp_path / "format_data.jsonl").write_bytes(b"\n".join([good[0], *content, *good[1:]]))
    written = b"\n".join([good[0], *content, *good[1:]])
    expected = sum(1 for line in written.split(b"\n") if line.removeprefix(b"\xef\xbb\xbf").strip())
    card = convert(load_task("medical_zh"), str(tmp_path / "format_data.jsonl"), given={"errors": 1, "near": 0})
    kept = sum(
        len(Path(f"data/medical_zh/{name}.jsonl").read_bytes().splitlines()) for name in ("train", "val", "test")
    )
    assert expected == card["rows"] == kept + card["files"]["rejected"]["rows"]


@settings(deadline=None)
@given(st.text(st.characters()))
def test_cleaning_twice_is_cleaning_once_and_is_always_utf8(text):
    clean = cleaner(clean=True, markup=False)
    once = clean(text)
    once.encode()
    assert clean(once) == once
    assert len(once) <= len(text) * 4 + 1
