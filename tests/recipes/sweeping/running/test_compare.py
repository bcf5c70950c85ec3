"""The answers of a task's runs in one folder, each under its run's name."""

from common.files import read_jsonl, write_jsonl
from common.subprocesses import command
from recipes.sweeping.running import compare
from tests.recipes.sweeping.samples import run_of


def test_outside_contestants_are_asked_by_name_model_and_place():
    asked = compare.asked("mine=gpt-4o@http://here/v1", "law_en", "")
    assert command("eval", "answer", **asked)[3:] == [
        "answer", "--task", "law_en", "--who", "mine", "--model-name", "gpt-4o", "--endpoint", "http://here/v1",
    ]  # fmt: skip
    other = compare.asked("chatgpt", "law_en", "q.csv")
    assert command("eval", "answer", **other)[4:] == [
        "--task", "law_en", "--who", "chatgpt", "--questions", "q.csv",
    ]  # fmt: skip


def test_answers_meet_and_those_of_a_run_that_left_go_but_not_an_outside_contestants(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = [run_of(1), run_of(2)]
    for run in runs:
        write_jsonl(tmp_path / run.folder / "questions.jsonl", [{"id": "q"}])
        for who in ("base", "tuned"):
            write_jsonl(tmp_path / run.folder / "answers" / f"{who}.jsonl", [{"id": "q", "answer": run.name + who}])
    folder = tmp_path / "compare"
    write_jsonl(folder / "answers" / "r0.jsonl", [{"id": "q", "of": "runs/gone"}])
    write_jsonl(folder / "answers" / "chatgpt.jsonl", [{"id": "q"}])
    assert compare.gather(folder, runs) == ["r1", "r2", "base"]
    assert sorted(path.stem for path in folder.glob("answers/*")) == ["base", "chatgpt", "r1", "r2"]
    (row,) = read_jsonl(folder / "answers" / "r2.jsonl")
    assert row == {"id": "q", "answer": "r2tuned", "who": "r2", "of": "runs/medical_en/m/lora-2/answers/tuned.jsonl"}
