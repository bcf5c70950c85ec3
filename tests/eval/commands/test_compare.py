"""`make compare`: runs' answers judged against each other, from what is there."""

import json
import shutil
from pathlib import Path

import pytest

from common.errors import UserError
from tests.endpoint import Endpoint
from tests.eval.commands.test_judge import eval_command, metrics, prefers_device


def another(run: Path, name: str, text: str, task: str = "medical_en") -> Path:
    """Return a copy of a run beside it, whose tuned model says something else."""
    other = run.with_name(name)
    shutil.copytree(run, other)
    (other / "manifest.json").write_text(json.dumps({"task": task, "model": "m", "method": name}))
    path = other / "answers" / "tuned.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row | {"answer": f"{text} {row['id']}"}) + "\n" for row in rows))
    return other


def test_two_runs_meet_in_a_folder_of_their_own(run: Path) -> None:
    other = another(run, "qlora", "Nobody knows")
    said = eval_command("compare", "--run", run, "--run", other, "--judge", "reference").output
    out = Path("runs/compare/lora-vs-qlora")
    (row,) = metrics(out)["comparisons"]
    assert (row["a"], row["b"], row["wins"], row["losses"]) == ("lora", "qlora", 6, 0)
    assert (out / "result.html").is_file()
    assert "largest win of lora" in said
    assert not (run / "judgments").exists()


@pytest.mark.slow
def test_three_runs_have_a_ranking_and_are_judged_in_both_orders(
    run: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    endpoint.behaviour = prefers_device
    runs = [run, another(run, "qlora", "No device"), another(run, "full", "Nothing")]
    words = [word for one in runs for word in ("--run", one)]
    said = eval_command("compare", *words, "--name", "three", "--judge", "fake").output
    assert "Bradley-Terry ranking by fake" in said
    found = metrics(Path("runs/compare/three"))
    assert len(found["comparisons"]) == 3
    assert [row["name"] for row in found["ranking"]["fake"]][-1] == "full"
    rows = Path("runs/compare/three/judgments/fake.jsonl").read_text().splitlines()
    assert len(rows) == 3 * 6 * 2


@pytest.mark.slow
def test_base_models_that_answered_alike_count_once(run: Path) -> None:
    other = another(run, "qlora", "Nothing")
    said = eval_command("compare", "--run", run, "--run", other, "--who", "tuned", "--who", "base").output
    assert "qlora-base has answered like lora-base" in said
    assert list(metrics(Path("runs/compare/lora-tuned-vs-lora-base-vs-qlora-tuned"))["contestants"]) == [
        "lora-base", "lora-tuned", "qlora-tuned",
    ]  # fmt: skip


def test_unusable_answers_are_to_be_given_again_in_their_own_run(run: Path) -> None:
    other = another(run, "qlora", "Nothing")
    path = other / "answers" / "tuned.jsonl"
    path.write_text(path.read_text().replace('"model":', '"finish_reason": "length", "model":'))
    said = eval_command("compare", "--run", run, "--run", other, "--judge", "reference").output
    assert "too many answers are unusable: qlora 6 of 6 (6 cut off). Answer again in that run itself, with MAX" in said


@pytest.mark.parametrize(
    ("change", "wrong", "way_out"),
    [
        ("one", "takes two runs or more", 'RUN="runs/a runs/b"'),
        ("task", "of different tasks: .*lora of medical_en, .*qlora of law_en", "runs of one task"),
        ("answers", "answers are missing: .*qlora has none of tuned", "make answer RUN=runs/medical_en/m/qlora"),
        ("questions", "no question in common", "same QUESTIONS="),
        ("same", "the same answers", "other runs"),
        ("gone", "there is no run in", "make train"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(run: Path, change: str, wrong: str, way_out: str) -> None:
    run = run.relative_to(Path.cwd())
    other = another(run, "qlora", "Nothing", "law_en" if change == "task" else "medical_en")
    path = other / "answers" / "tuned.jsonl"
    if change == "answers":
        path.unlink()
    elif change == "questions":
        path.write_text(path.read_text().replace("What is thing", "Where is thing"))
    elif change == "same":
        shutil.copy(run / "answers" / "tuned.jsonl", path)
    runs = [run] if change == "one" else [run, Path("runs/none") if change == "gone" else other]
    with pytest.raises(UserError, match=wrong) as caught:
        eval_command("compare", *[word for one in runs for word in ("--run", one)])
    assert way_out in str(caught.value.hint)
    assert "\n" not in caught.value.message
