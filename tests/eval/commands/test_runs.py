"""The overview of all runs: what it shows, how its page sorts, and that deleting frees what it says, no more."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from common.errors import UserError
from common.files import read_json
from common.process import in_use, only_one
from eval.__main__ import main
from eval.result.overview import table
from tests.eval.commands.test_judge import eval_command
from tests.eval.reporting.sample import make_run

LORA, QLORA = Path("runs/medical_en/m-1b/lora"), Path("runs/medical_en/m-1b/qlora-less")


@pytest.fixture
def runs(workplace: Path) -> None:
    for folder, gain, share in ((LORA, 0.5, 0.9), (QLORA, 0.3, 0.1)):
        make_run(folder, gain, share)
        for part in ("adapter/checkpoint-10", "export"):
            (folder / part).mkdir(parents=True)
            (folder / part / "model.safetensors").write_bytes(bytes(40_000_000))
    assert eval_command("judge", "--run", LORA, "--judge", "reference").exit_code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_each_run_has_its_figures() -> None:
    found = table()
    judged, other = found.loc[str(LORA)], found.loc[str(QLORA)]
    metrics = read_json(LORA / "metrics.json")["comparisons"][0]
    assert (judged.state, judged.judge, judged.win_rate) == ("judged", "reference", metrics["win_rate"])
    assert judged.held_out == read_json(LORA / "heldout.json")["tuned"]["loss"]
    assert judged.change == pytest.approx(-0.5, abs=0.05)
    assert judged.hours == pytest.approx(690 / 3600)
    assert (judged.peak, other.judge, other.interval) == (8.4, "", "")
    assert other.disk == pytest.approx(0.08, abs=0.001)


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_the_table_is_sorted_and_narrowed() -> None:
    shown = eval_command("runs", "--sort", "-held_out").output
    assert shown.index("qlora") < shown.index("judged")
    assert "Training varies by itself" in shown
    assert "page: runs/runs.html" in shown
    with pytest.raises(UserError, match="no column 'heldout'") as raised:
        eval_command("runs", "--sort", "heldout")
    assert "held_out" in raised.value.hint
    with pytest.raises(UserError, match="there are no such runs"):
        eval_command("runs", "--task", "law_zh")


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_deleting_says_how_much_and_frees_it() -> None:
    refused = CliRunner().invoke(main, ["runs", "--delete", "checkpoints"])
    assert "0.04 GB  runs/medical_en/m-1b/lora: checkpoints" in refused.output
    assert "0.08 GB will be deleted" in str(refused.exception)
    assert (LORA / "adapter/checkpoint-10").is_dir()
    assert "freed 0.08 GB" in eval_command("runs", "--delete", "checkpoints", "--yes").output
    assert not list(Path().rglob("checkpoint-10"))
    assert (LORA / "export").is_dir()
    eval_command("runs", "--delete", "exports", "--yes")
    assert not (LORA / "export").exists()
    assert "export" not in read_json(LORA / "manifest.json")["steps"]
    eval_command("runs", "--delete", str(QLORA), "--yes")
    assert not QLORA.exists()
    assert (LORA / "adapter").is_dir()


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_what_runs_is_never_deleted() -> None:
    with in_use(QLORA), in_use(QLORA), pytest.raises(UserError, match="running now"):  # as answer, judge and chat do
        eval_command("runs", "--delete", str(QLORA), "--yes")
    with only_one(QLORA):
        assert table().loc[str(QLORA)].state == "running"
        with pytest.raises(UserError, match="running now: runs/medical_en/m-1b/qlora-less"):
            eval_command("runs", "--delete", "exports", "--yes")
    assert (LORA / "export").is_dir()
    with pytest.raises(UserError, match="nothing to delete under 'checkpoint'"):
        eval_command("runs", "--delete", "checkpoint")


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_the_page_sorts_and_filters(browser: Any) -> None:
    eval_command("runs")
    page = browser.new_page()
    page.goto(Path("runs/runs.html").absolute().as_uri())
    rows = page.locator("#runs tbody tr:visible")
    page.get_by_role("button", name="held-out loss").click()
    assert "qlora" in rows.nth(1).inner_text()
    page.get_by_role("button", name="held-out loss").click()
    assert "qlora" in rows.nth(0).inner_text()
    page.get_by_role("searchbox").fill("medical judged")
    assert rows.count() == 1
    assert page.locator("#count").inner_text() == "1 of 2"
    assert page.locator("a").first.get_attribute("href") == "medical_en/m-1b/lora/result.html"
    page.close()


@pytest.mark.slow
@pytest.mark.usefixtures("runs")
def test_one_broken_run_does_not_hide_the_others() -> None:
    (QLORA / "manifest.json").write_text("{")
    shown = eval_command("runs").output
    assert "runs/medical_en/m-1b/qlora-less/manifest.json is not JSON" in shown
    assert sorted(table().state) == ["broken", "judged"]
    eval_command("runs", "--delete", "checkpoints", "--yes")
    assert (QLORA / "adapter/checkpoint-10").is_dir()
    eval_command("runs", "--delete", str(QLORA), "--yes")
    assert not QLORA.exists()
