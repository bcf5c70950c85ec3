"""Why a run failed, and the times of what it did."""

from common.files import write_json
from common.sweep_files import State
from recipes.sweeping.running.one_run import reason, seconds_kept
from tests.recipes.sweeping.samples import run_of


def test_the_reason_is_the_last_error_message_whole(tmp_path):
    log = tmp_path / "log"
    log.write_text("error: of an earlier try\n")
    start = log.stat().st_size
    log.write_text(log.read_text() + "loading\nerror: llamafactory-cli train ended with code 1; the end of x:\n"
                   "    ValueError: no\n\n  next: change it\n")  # fmt: skip
    assert reason(log, start) == (
        "llamafactory-cli train ended with code 1; the end of x:\n    ValueError: no\n  next: change it"
    )
    log.write_text("one\nKilled\n")
    assert reason(log, 0) == "Killed"


def test_the_seconds_of_what_is_gone_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, state = run_of(1), State(seconds={"train": 60.0, "heldout": 5.0, "export": 3.0})
    assert seconds_kept(run, state) == {}
    for name in ("manifest.json", "adapter/all_results.json"):
        write_json(tmp_path / run.folder / name, {})
    assert seconds_kept(run, state) == {"train": 60.0, "export": 3.0}
