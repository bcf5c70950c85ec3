"""FastChat's and alpaca_eval's own tools on our judgments give our figures."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import UserError
from eval.commands.exchange import import_answers
from eval.records.questions import load_questions
from tests.endpoint import Endpoint
from tests.eval.commands.test_judge import eval_command, metrics


def installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@pytest.fixture
def judged(run: Path, endpoint: Endpoint) -> Path:
    """Six questions: two wins in both orders, one loss, one order-dependent, one tie, one without a verdict."""
    script = {
        "0": "tuned", "1": "tuned", "2": "base", "3": "first", "4": "tie", "5": "none",
    }  # fmt: skip

    def behaviour(body: dict, number: int) -> str:
        prompt = body["messages"][0]["content"]
        question = re.search(r"What is thing (\d)", prompt)
        assert question
        plan = script[question[1]]
        first = prompt.split("begin Assistant 2")[0]
        tuned_first = "device" in first if int(question[1]) < 4 else True
        word = {
            "tuned": "better than" if tuned_first else "worse than",
            "base": "worse than" if tuned_first else "better than",
            "first": "better than",
            "tie": "equal to",
            "none": "",
        }[plan]
        return f"Assistant 1 is {word} Assistant 2" if word else "I cannot say."

    endpoint.behaviour = behaviour
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    (row,) = metrics(run)["comparisons"]
    assert (row["wins"], row["ties"], row["losses"], row["unparsed"]) == (2, 2, 1, 1)
    return run


def test_fastchat_shows_our_win_rates(judged: Path) -> None:
    """With FastChat's show_result.py where it is installed; else its documented reading of the same rows."""
    eval_command("export", "--run", judged, "--format", "fastchat", "--out", "data/whetstone")
    rows = [json.loads(line) for line in Path("data/whetstone/model_judgment/fake_pair.jsonl").read_text().splitlines()]
    assert [(row["g1_winner"], row["g2_winner"]) for row in rows] == [
        ("model_1", "model_1"), ("model_1", "model_1"), ("model_2", "model_2"), ("model_1", "model_2"),
        ("tie", "tie"), ("error", "error"),
    ]  # fmt: skip
    assert json.loads(Path("data/whetstone/question.jsonl").read_text().splitlines()[0])["turns"] == [
        "What is thing 0?"
    ]
    ours = metrics(judged)["comparisons"][0]
    # What FastChat 0.2.36's show_result.py says of these rows, for machines that do not have it.
    assert (ours["win_rate"], ours["wins"], ours["losses"], ours["ties"]) == (0.6, 2, 1, 2)
    if not installed("fastchat"):
        pytest.skip("FastChat is not installed (pip install --no-deps fschat): only the layout was checked")
    done = subprocess.run(
        [sys.executable, "-m", "fastchat.llm_judge.show_result", "--mode", "pairwise-all", "--bench-name", "whetstone",
         "--judge-model", "fake"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    shown = next(line.split() for line in done.stdout.splitlines() if line.startswith("tuned"))
    assert [int(value) for value in shown[1:4]] == [2, 1, 2]
    assert float(shown[-1]) == pytest.approx(metrics(judged)["comparisons"][0]["win_rate"], abs=1e-6)


def test_alpaca_eval_shows_our_win_rates(judged: Path) -> None:
    eval_command("export", "--run", judged, "--format", "alpaca_eval", "--out", "alpaca")
    rows = json.loads(Path("alpaca/tuned/fake-vs-base/annotations.json").read_text())
    assert [row["preference"] for row in rows] == [2.0, 2.0, 1.0, 1.5, 1.5, None]
    ours = metrics(judged)["comparisons"][0]
    # What alpaca_eval 0.6.6 says of these rows, for machines that do not have it.
    assert (100 * ours["win_rate"], ours["wins"], ours["losses"], ours["ties"]) == (60.0, 2, 1, 2)
    if not installed("alpaca_eval"):
        pytest.skip("alpaca_eval is not installed: only the layout was checked")
    from alpaca_eval.metrics import get_winrate

    theirs = get_winrate(rows)
    assert theirs["win_rate"] == pytest.approx(100 * metrics(judged)["comparisons"][0]["win_rate"])
    assert (theirs["n_wins"], theirs["n_wins_base"], theirs["n_draws"]) == (2, 1, 2)


@pytest.mark.parametrize("layout", ["fastchat", "alpaca_eval"])
def test_answers_come_back_from_both_layouts(judged: Path, layout: str, workplace: Path) -> None:
    eval_command("export", "--run", judged, "--format", layout, "--out", "out")
    name = "model_answer/tuned.jsonl" if layout == "fastchat" else "tuned/model_outputs.json"
    eval_command("import", "--run", "again", "--questions", judged / "questions.jsonl", f"out/{name}")
    before = [json.loads(line)["answer"] for line in (judged / "answers" / "tuned.jsonl").read_text().splitlines()]
    after = [json.loads(line)["answer"] for line in Path("again/answers/tuned.jsonl").read_text().splitlines()]
    assert before == after


def test_what_is_not_in_their_layout_is_told(judged: Path, workplace: Path) -> None:
    questions = load_questions(judged / "questions.jsonl")
    eval_command("export", "--run", judged, "--out", "out")
    with pytest.raises(UserError, match="there is no"):
        import_answers(Path("nowhere.json"), questions)
    Path("out/model_answer/bad.jsonl").write_text('{"question_id": 1}\n')
    with pytest.raises(UserError, match=r"bad\.jsonl row 1 is not an answer of FastChat, .*: no 'model_id'"):
        import_answers(Path("out/model_answer/bad.jsonl"), questions)
    for row in (
        '{"question_id": 1, "model_id": "m", "choices": []}',
        '{"question_id": 1, "model_id": null, "choices": [{"turns": [""]}]}',
        '{"model": "m", "messages": []}',
        '{"model": "m", "messages": [{"role": "assistant", "content": "x"}]}',
        '"text"',
        "5",
        '{"instruction": null, "output": "x"}',
        '{"model": "m", "messages": null}',
    ):
        Path("out/model_answer/bad.jsonl").write_text(row + "\n")
        with pytest.raises(UserError, match=r"bad\.jsonl row 1 is not an answer of FastChat"):
            import_answers(Path("out/model_answer/bad.jsonl"), questions)
    Path("broken.json").write_text("[{")
    with pytest.raises(UserError, match=r"broken\.json is not JSON"):
        import_answers(Path("broken.json"), questions)
    Path("others.json").write_text('[{"instruction": "Another question", "output": "x"}]')
    with pytest.raises(UserError, match="none of the 1 answers"):
        import_answers(Path("others.json"), questions)


def test_what_is_no_text_is_a_missing_answer_and_never_judged(workplace: Path) -> None:
    Path("mine.csv").write_text("id,question\n1,How much?\n2,How long?\n3,How far?\n")
    questions = [
        {"question_id": n, "turns": [text]} for n, text in ((81, "How much?"), (82, "How long?"), (83, "How far?"))
    ]
    Path("model_answer").mkdir()
    Path("question.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    turns = {81: {"content": "Two.", "token_len": 2}, 82: "$ERROR$", 83: None}
    rows = [
        {"question_id": n, "model_id": "m", "choices": [{"index": 0, "turns": [turn]}]} for n, turn in turns.items()
    ]
    Path("model_answer/m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = eval_command("import", "--run", "r", "--questions", "mine.csv", "model_answer/m.jsonl").output
    assert "1 answers; 2 are missing there" in output
    found = [json.loads(line) for line in Path("r/answers/m.jsonl").read_text().splitlines()]
    assert [(row["answer"], row["error"]) for row in found] == [
        ("Two.", ""), ("", "none in m.jsonl"), ("", "none in m.jsonl"),
    ]  # fmt: skip
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How long?"},
        {"role": "assistant", "content": {"answer": "A week."}},
    ]
    Path("model_answer/new.jsonl").write_text(json.dumps({"uid": "x", "model": "new", "messages": chat}) + "\n")
    given = import_answers(Path("model_answer/new.jsonl"), load_questions(Path("mine.csv")))
    assert [(answer.id, answer.answer) for answer in given["new"]] == [("2", "A week.")]
    Path("model_outputs.json").write_text(json.dumps([{"instruction": "How far?", "output": None, "generator": "g"}]))
    (answer,) = import_answers(Path("model_outputs.json"), load_questions(Path("mine.csv")))["g"]
    assert (answer.answer, answer.error) == ("", "none in model_outputs.json")
    rows[1] = rows[0] | {"choices": [{"index": 0, "turns": ["Three."]}]}
    Path("model_answer/m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UserError, match="two answers of m to one question: 'How much"):
        import_answers(Path("model_answer/m.jsonl"), load_questions(Path("mine.csv")))
