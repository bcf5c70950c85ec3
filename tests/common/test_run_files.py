"""The files of a run: read as they are declared, and a broken one is named."""

from pathlib import Path

import pytest

from common import run_files
from common.errors import UserError
from common.files import read_json, write_json, write_text


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_manifest_is_what_was_written_and_says_its_version(here: Path) -> None:
    manifest = run_files.Manifest(task="t", model="m", steps={"train": {"seconds": 3.0, "results": {"train_loss": 1}}})
    run_files.write(here / "manifest.json", manifest)
    assert read_json(here / "manifest.json") == {"schema": 1, **manifest}
    assert run_files.read_manifest(here) == {"schema": 1, **manifest}
    assert run_files.read_manifest(here / "elsewhere") == {}


def test_keys_that_are_not_declared_stay(here: Path) -> None:
    write_json(here / "metrics.json", {"task": "t", "mine": {"a": 1}, "heldout": {"rows": 3, "extra": True}})
    assert run_files.read_metrics(here)["mine"] == {"a": 1}  # type: ignore[typeddict-item]
    assert run_files.read_metrics(here)["heldout"] == {"rows": 3, "extra": True}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"split": "te', "heldout.json is not JSON: "),
        ("[]", "all of it: Input should be a valid dictionary"),
        ('{"base": {"loss": 1.5}, "rows": "many"}', "rows: .*; base.perplexity: Field required"),
        ('{"schema": 2}', "written by a newer Whetstone"),
    ],
)
def test_a_broken_file_is_named_with_all_that_is_wrong(here: Path, text: str, said: str) -> None:
    write_text(here / "heldout.json", text)
    with pytest.raises(UserError, match=said) as error:
        run_files.read_heldout(here)
    assert str(here / "heldout.json") in error.value.message
    assert error.value.hint


def test_the_newest_facts_of_a_log_that_was_cut_off(here: Path) -> None:
    log = here / "adapter" / "trainer_log.jsonl"
    write_text(log, '{"current_steps": 1, "loss": 2.0}\n{"curr\n{"current_steps": 2, "eval_loss": 1.5}\n{"current_st')
    assert run_files.training(here) == {"current_steps": 2, "loss": 2.0, "eval_loss": 1.5}
    first = log.read_bytes().index(b"\n") + 1
    assert [row["current_steps"] for row in run_files.read_log(here / "adapter", first)] == [2]
    assert run_files.training(here / "elsewhere") == {}
