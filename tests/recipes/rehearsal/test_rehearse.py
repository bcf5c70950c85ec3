"""A rehearsal takes the user's own rows and settings, in a folder of its own, and says where it stopped."""

import json
from pathlib import Path

import pytest

from common.errors import UserError
from common.files import write_json
from recipes.rehearsal.rehearse import _few, _own_rows, _source
from tests.checkout import ROOT, Checkout

BASE = "make rehearse TASK=medical_en MODEL=smollm2-135m SOURCE=converters/examples/medical_en"


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "rehearsal").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "said"), [(["law.jsonl"], "mine/rows"), (["hub"], "")], ids=["a local folder", "the hub"]
)
def test_rows_come_from_where_the_converted_ones_came_from(place, files, said):
    write_json(place / "data/law_en/card.json", {"made_from": {"source": "mine/rows", "source_files": files}})
    assert _source("law_en~raw", "") == said
    assert _source("law_en", "org/rows") == "org/rows"
    (place / "here").mkdir()
    assert _source("law_en", "here") == str(place / "here")


def test_rows_of_an_own_entry_go_along_by_their_whole_path(place):
    write_json(place / "dataset_info.json", {"pairs": {"file_name": "mine/pairs.jsonl"}, "hub": {"hf_hub_url": "a/b"}})
    assert _own_rows("pairs", place / "rehearsal")
    taken = json.loads((place / "rehearsal/dataset_info.json").read_text())
    assert taken == {"pairs": {"file_name": f"{place}/mine/pairs.jsonl"}, "hub": {"hf_hub_url": "a/b"}}
    assert not _own_rows("medical_en", place / "rehearsal")


def test_two_questions_are_asked(place):
    assert _few("medical_en", "", place / "rehearsal") == "questions.jsonl"
    asked = (place / "rehearsal/questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert asked == (ROOT / "eval/questions/medical_en.jsonl").read_text(encoding="utf-8").splitlines()[:2]
    (place / "mine.csv").write_text("question\nWhy?\n")
    assert _few("medical_en", "mine.csv", place / "rehearsal") == str(place / "mine.csv")
    with pytest.raises(UserError, match="there are no questions"):
        _few("medical_en", "gone.jsonl", place / "rehearsal")


@pytest.mark.slow
def test_a_whole_run_is_rehearsed_and_one_that_would_fail_stops_where_it_would(tmp_path: Path):
    checkout = Checkout(tmp_path)
    said = checkout(f"{BASE} METHOD=dora SET='lora_rank=4'")
    assert "all 6 steps done" in said
    assert "nothing of it is kept" in said
    assert "make chat" not in said, "it is deleted, so nothing comes next"
    assert not [*tmp_path.glob("cache/rehearsal-*"), *tmp_path.glob("data"), *tmp_path.glob("runs")]
    (tmp_path / "mine.jsonl").write_text('{"question": "Why?"}\n')
    done = checkout.run(BASE.replace("converters/examples/medical_en", "mine.jsonl"))
    assert done.returncode
    assert "mine.jsonl" in done.stderr
    assert "the rehearsal stopped here" in done.stderr
    (left,) = tmp_path.glob("cache/rehearsal-*")
    assert (left / "models/smollm2-135m/config.json").is_file()
