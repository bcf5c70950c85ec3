"""make rewrite and make score as typed: originals kept, scores read strictly, and both one TASK away."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from common.llm.prices import Price
from common.process import only_one
from converters.__main__ import cli
from tests.converters.generate.conftest import MORE, ROOT, improves
from tests.endpoint import Endpoint, completion

Run = Callable[..., None]
ReadRows = Callable[[str], list[dict[str, Any]]]
BASE = Path("data/medical_en")


def convert(name: str, *arguments: str) -> None:
    cli.main(["convert", "--task", name, *arguments], standalone_mode=False)


def by_length(body: dict[str, Any], number: int) -> str:
    """Score long prompts high, as a model might."""
    return json.dumps({"reason": "So it is.", "score": 5 if len(body["messages"][0]["content"]) % 2 else 3})


@pytest.mark.slow
def test_answers_are_rewritten_and_the_originals_kept(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Any:
        better = improves(body, number)
        return f"<think>Which facts are there?</think>\n\n{better}" if number % 2 else completion(better, "length")

    endpoint.behaviour = behaviour
    run("rewrite", "--concurrency", "1", "--limit", "40")
    base = {row["id"]: row for row in read_rows(f"{BASE}/train.jsonl")}
    made = read_rows(f"{BASE}/rewritten/rows.jsonl")
    assert len(made) == 20
    assert all(row["original"] == base[row["id"]]["output"] for row in made)
    assert all(row["output"] == f"{row['original']}\n\n{MORE}" for row in made)
    assert made[0]["made_by"]["prompt"].startswith("rewrite.en.jinja ")
    assert {row["step"] for row in read_rows(f"{BASE}/rewritten/rejected.jsonl")} == {"cut_off"}
    mixed = {row["id"]: row for row in read_rows("data/medical_en+rewritten/train.jsonl")}
    assert list(mixed) == list(base)
    changed = {row["id"]: row["output"] for row in made}
    assert all(row["output"] == changed.get(name, base[name]["output"]) for name, row in mixed.items())


def test_an_answer_that_is_worse_leaves_the_original(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    bad = [
        "I'm sorry, but I can't give medical advice.", "Same as above.", "Certainly! Here is the improved answer:",
        "It depends on many things, so be careful and live healthily.",
    ]  # fmt: skip
    endpoint.behaviour = lambda body, number: bad[number] if number < len(bad) else improves(body, number)
    run("rewrite", "--concurrency", "1", "--limit", "6")
    rejected = read_rows(f"{BASE}/rewritten/rejected.jsonl")
    assert [row["step"] for row in rejected[:3]] == ["refused", "no_content", "no_content"]
    assert rejected[3]["step"] in ("shorter", "lost_fact")
    assert [row["reply"] for row in rejected] == bad
    base, mixed = (read_rows(f"data/{name}/train.jsonl") for name in ("medical_en", "medical_en+rewritten"))
    assert [one == other for one, other in zip(base[:6], mixed[:6], strict=True)] == [True] * 4 + [False] * 2
    card = json.loads((BASE / "rewritten" / "card.json").read_text())
    assert sum(card["dropped"].values()) == 4


@pytest.mark.slow
def test_only_short_answers_and_only_so_many(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = improves
    run("rewrite", "--set", "below=400", "--limit", "5")
    made = read_rows(f"{BASE}/rewritten/rows.jsonl")
    assert len(made) == len(endpoint.calls) == 5
    assert all(len(row["original"]) < 400 for row in made)
    run("rewrite", "--set", "below=400", "--limit", "7")
    assert len(endpoint.calls) == 7


def test_an_answer_of_the_judged_questions_is_not_taken_over(
    endpoint: Endpoint, run: Run, questions: Path, read_rows: ReadRows
) -> None:
    reference = "Avoid potassium-rich bananas, oranges, potatoes and salted meats, and ask a renal dietitian."
    judged = {"id": "q1", "question": "Which foods harm weak kidneys?", "reference": reference}
    (questions / "medical_en.jsonl").write_text(json.dumps(judged) + "\n")
    endpoint.behaviour = lambda body, number: improves(body, number) + ("" if number else f" {reference}")
    run("rewrite", "--limit", "2", "--concurrency", "1")
    assert [row["step"] for row in read_rows(f"{BASE}/rewritten/rejected.jsonl")] == ["contaminated"]
    assert len(read_rows(f"{BASE}/rewritten/rows.jsonl")) == 1


@pytest.mark.slow
def test_what_was_paid_is_used_when_the_budget_ends(
    endpoint: Endpoint, run: Run, monkeypatch: pytest.MonkeyPatch, read_rows: ReadRows
) -> None:
    monkeypatch.setattr("common.llm.client.price_of", lambda model, url: Price(1e-3, 1e-3))
    endpoint.behaviour = lambda body, number: '{"reason": "So it is.", "score": 5}'
    # A call costs $0.12; before it is made, its prompt and 300 tokens of output have to fit: about $2.
    with pytest.raises(UserError, match=r"BUDGET=4 is reached: .*; \d+ rows were not asked for") as caught:
        run("score", "--limit", "60", "--budget", "4", "--concurrency", "1")
    assert caught.value.hint == "run the same command with a larger BUDGET; paid replies are kept"
    paid = len(endpoint.calls)
    assert 0 < paid < 60
    assert len(read_rows(f"{BASE}/scored/rows.jsonl")) == paid
    assert len(read_rows("data/medical_en+scored/train.jsonl")) == paid
    run("score", "--limit", "60", "--budget", "40")
    assert len(endpoint.calls) == 60
    assert len(read_rows(f"{BASE}/scored/rows.jsonl")) == 60


def test_scores_that_are_all_the_same_are_told(
    endpoint: Endpoint, run: Run, capsys: pytest.CaptureFixture[str], read_rows: ReadRows
) -> None:
    endpoint.behaviour = lambda body, number: '{"reason": "So it is.", "score": 4}'
    run("score", "--limit", "12")
    told = capsys.readouterr()
    assert "warning: 12 of 12 rows have the score 4: this model hardly tells rows apart" in told.out + told.err
    assert "no row is left for medical_en+scored: 0 of" in told.out + told.err  # 4.5 is asked for where none is named
    assert len(read_rows(f"{BASE}/scored/rows.jsonl")) == 12


@pytest.mark.slow
def test_scores_select_rows_by_threshold(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = by_length
    run("score")
    scores = {row["id"]: row["score"] for row in read_rows(f"{BASE}/scored/rows.jsonl")}
    assert set(scores.values()) == {3.0, 5.0}
    high = [name for name, score in scores.items() if score == 5]
    assert [row["id"] for row in read_rows("data/medical_en+scored/train.jsonl")] == high
    convert("medical_en+scored@3")
    assert len(read_rows("data/medical_en+scored@3/train.jsonl")) == len(scores) == 164
    left_out = read_rows("data/medical_en+scored/rejected.jsonl")
    assert left_out[0]["reason"] == "score 3, below 4.5"
    convert("medical_en+scored", "--set", "threshold=2")
    convert("medical_en+scored")  # as training does: what SET said still holds
    assert len(read_rows("data/medical_en+scored/train.jsonl")) == 164
    convert("medical_en+scored", "--force")
    assert len(read_rows("data/medical_en+scored/train.jsonl")) == len(high)


@pytest.mark.slow
def test_parts_build_on_each_other(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = improves
    run("rewrite", "--limit", "20")
    endpoint.behaviour = by_length
    run("score", task="medical_en+rewritten")
    rows = read_rows("data/medical_en+rewritten+scored/train.jsonl")
    assert 0 < len(rows) < 164
    assert any(row["output"].endswith(MORE) for row in rows)
    own = Path("data/medical_en+rewritten+scored/test.jsonl").read_bytes()
    assert own == (BASE / "test.jsonl").read_bytes()


@pytest.mark.slow
def test_a_mix_is_written_once(endpoint: Endpoint, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.behaviour = by_length
    run("score")
    before = Path("data/medical_en+scored/train.jsonl").stat().st_mtime_ns
    convert("medical_en+scored")
    assert "is up to date" in capsys.readouterr().out
    assert Path("data/medical_en+scored/train.jsonl").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_part_made_of_other_rows_is_refused_and_made_again(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = by_length
    run("score")
    asked = len(endpoint.calls)
    source = Path(__file__).resolve().parents[3] / "converters/examples/medical_en"
    convert("medical_en", "--source", str(source), "--set", "seed=1 test=0.2")
    with pytest.raises(UserError, match="was made from other rows of medical_en") as caught:
        convert("medical_en+scored")
    assert caught.value.hint == "make score TASK=medical_en asks for the new rows only"
    run("score")
    assert 0 < len(endpoint.calls) - asked < 60  # rows that were in val and test before
    rows, tested = (read_rows(f"{BASE}/{split}.jsonl") for split in ("train", "test"))
    assert {row["id"] for row in read_rows(f"{BASE}/scored/rows.jsonl")} == {row["id"] for row in rows}
    assert not {row["id"] for row in read_rows("data/medical_en+scored/train.jsonl")} & {row["id"] for row in tested}


@pytest.mark.slow
def test_the_control_of_a_score_is_as_many_rows_at_random(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = by_length
    run("score", "--limit", "120")
    for name in ("medical_en+scored@4", "medical_en+scored@random4", "medical_en+scored@random"):
        convert(name)
    scored = {row["id"] for row in read_rows(f"{BASE}/scored/rows.jsonl")}
    high, control, default = (
        [row["id"] for row in read_rows(f"data/medical_en+scored@{end}/train.jsonl")]
        for end in ("4", "random4", "random")
    )
    assert len(control) == len(high) < 120
    assert set(control) <= scored
    assert control != high
    assert default == control  # 4.5 and 4 select the same of scores 3 and 5
    reasons = {row["reason"] for row in read_rows("data/medical_en+scored@random4/rejected.jsonl")}
    assert reasons == {"not drawn", "not scored"}


def test_a_threshold_that_leaves_nothing(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = lambda body, number: '{"reason": "poor", "score": 1}'
    run("score", "--limit", "9")
    with pytest.raises(UserError, match=r"no row is left for medical_en\+scored: 0 of 164 rows"):
        convert("medical_en+scored")
    convert("medical_en+scored@1")
    assert not Path("data/medical_en+scored/card.json").exists()


@pytest.mark.slow
def test_amounts_that_cannot_be(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = by_length
    run("score")
    for name, setting, message in [
        ("medical_en+scored@9", "", "threshold must be from 0 to 5"),
        ("medical_en+scored", "share=0.5", "SET share cannot be used"),
        ("medical_en+scored@3", "threshold=4", "cannot be used with"),
        ("medical_en+scored", "threshold=high", "threshold must be from 0 to 5"),
    ]:
        with pytest.raises(UserError, match=message):
            convert(name, *(["--set", setting] if setting else []))


@pytest.mark.parametrize("bad", ["I think that it is good.", "Score: 9", '{"score": "high"}', "Score: 4/10", ""])
def test_prose_is_no_score(endpoint: Endpoint, run: Run, read_rows: ReadRows, bad: str) -> None:
    endpoint.behaviour = lambda body, number: bad
    with pytest.raises(UserError, match=r"there are no scored rows \(no_score 4\)"):
        run("score", "--limit", "4")
    assert len(read_rows(f"{BASE}/scored/rejected.jsonl")) == 4


def test_many_unread_scores_are_told(endpoint: Endpoint, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.behaviour = lambda body, number: "So-so." if number < 2 else "Score: 5"
    run("score", "--limit", "20", "--concurrency", "1")
    assert "warning: 2 replies hold no score" in capsys.readouterr().err
    run("score", "--limit", "40")
    assert "hold no score" not in capsys.readouterr().err


def test_rows_that_a_part_is_being_made_from_are_not_replaced(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = by_length
    run("score", "--limit", "3")
    rows = (BASE / "train.jsonl").read_bytes()
    source = str(ROOT / "converters" / "examples" / "medical_en")
    with only_one(BASE / "scored"), pytest.raises(UserError, match="is being made from the rows"):
        convert("medical_en", "--source", source, "--set", "seed=3")
    assert (BASE / "train.jsonl").read_bytes() == rows
    convert("medical_en", "--source", source, "--set", "seed=3")
    assert (BASE / "train.jsonl").read_bytes() != rows
