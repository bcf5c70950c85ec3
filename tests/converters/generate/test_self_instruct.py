"""make self-instruct as typed: the rows, where they come from, how they are mixed, and what resuming costs."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from converters.__main__ import cli
from tests.converters.generate.conftest import task_of, writes
from tests.endpoint import Endpoint

PART = Path("data/medical_en/self_instruct")
Run = Callable[..., None]
ReadRows = Callable[[str], list[dict[str, Any]]]


def card(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "card.json").read_text())
    return found


def test_n_rows_are_made_registered_and_mixed(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "50")
    rows = read_rows(f"{PART}/rows.jsonl")
    assert len(rows) == 50
    assert len({row["id"] for row in rows}) == 50
    assert not any(row["input"] == "noinput" for row in rows)
    made_by = rows[0]["made_by"]
    assert made_by["model"] == "fake-judge-1"
    assert made_by["asked"].startswith("http://127.0.0.1")
    assert made_by["prompt"].startswith("self_instruct.en.jinja ")
    assert made_by["settings"] == {"temperature": 1.0, "max_tokens": 4096, "structured": True}
    assert len(made_by["shown"]) == 3
    base = read_rows("data/medical_en/train.jsonl")
    mixed = read_rows("data/medical_en+self_instruct/train.jsonl")
    assert mixed[: len(base)] == base
    assert [row["id"] for row in mixed[len(base) :]] == [row["id"] for row in rows]
    assert {tuple(row) for row in mixed} == {("id", "instruction", "input", "output")}
    for split in ("val", "test"):
        own = Path(f"data/medical_en+self_instruct/{split}.jsonl").read_bytes()
        assert own == Path(f"data/medical_en/{split}.jsonl").read_bytes()
    info = json.loads(Path("dataset_info.json").read_text())
    assert info["medical_en+self_instruct"]["file_name"] == "data/medical_en+self_instruct/train.jsonl"
    assert info["medical_en+self_instruct_test"]["file_name"] == "data/medical_en+self_instruct/test.jsonl"


def test_each_call_shows_real_rows_and_rows_made_so_far(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "60", "--set", "at_once=1")
    real = {row["id"]: row for row in read_rows("data/medical_en/train.jsonl")}
    made = {row["id"]: row for row in read_rows(f"{PART}/rows.jsonl")}
    calls = read_rows(f"{PART}/replies.jsonl")
    assert [name in real for name in calls[0]["shown"]] == [True] * 3
    assert [name in real for name in calls[1]["shown"]] == [True] * 3 + [False] * 2
    for call, body in zip(calls, endpoint.calls, strict=True):
        prompt = body["messages"][0]["content"]
        shown = [json.loads(line) for line in prompt.splitlines() if line.startswith('{"instruction":')]
        assert [row["instruction"] for row in shown] == [(real | made)[name]["instruction"] for name in call["shown"]]
        assert [word for word in ("medicine", "English", "noinput", "at most 100 words") if word not in prompt] == []
    assert endpoint.calls[0]["response_format"]["json_schema"]["name"] == "tasks"


@pytest.mark.slow
def test_a_second_run_asks_nothing_and_a_larger_n_only_what_is_missing(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "40")
    first, asked = (PART / "rows.jsonl").read_bytes(), len(endpoint.calls)
    run("self-instruct", "--n", "40")
    assert len(endpoint.calls) == asked
    assert (PART / "rows.jsonl").read_bytes() == first
    run("self-instruct", "--n", "80")
    assert (PART / "rows.jsonl").read_bytes().startswith(first)
    assert asked < len(endpoint.calls) <= asked + 3
    assert card(Path("data/medical_en+self_instruct"))["files"]["train"]["rows"] == 164 + 80


@pytest.mark.slow
def test_without_the_journal_the_cache_answers(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "100")
    first, asked = (PART / "rows.jsonl").read_bytes(), len(endpoint.calls)
    (PART / "replies.jsonl").unlink()
    run("self-instruct", "--n", "100")
    assert len(endpoint.calls) == asked
    assert (PART / "rows.jsonl").read_bytes() == first


@pytest.mark.slow
def test_other_settings_need_another_name_or_force(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "20")
    with pytest.raises(UserError, match=r"made with other settings; changed: seed \(0 -> 1\)") as caught:
        run("self-instruct", "--n", "20", "--set", "seed=1")
    assert "NAME=" in caught.value.hint
    run("self-instruct", "--n", "20", "--set", "seed=1", "--name", "second")
    assert Path("data/medical_en+second/card.json").is_file()
    run("self-instruct", "--n", "20", "--set", "seed=1", "--force")
    assert card(PART)["made_from"]["settings"]["seed"] == 1


@pytest.mark.slow
def test_a_share_in_the_name_or_in_set(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "40")
    cli.main(["convert", "--task", "medical_en+self_instruct@0.1"], standalone_mode=False)
    rows = read_rows("data/medical_en+self_instruct@0.1/train.jsonl")
    made = [row for row in rows if "self_instruct" in row["id"]]
    assert (len(rows), len(made)) == (164 + 18, 18)
    left_out = read_rows("data/medical_en+self_instruct@0.1/rejected.jsonl")
    assert {row["step"] for row in left_out} == {"share"}
    assert len(left_out) == 22
    cli.main(["convert", "--task", "medical_en+self_instruct", "--set", "share=12"], standalone_mode=False)
    fewer = read_rows("data/medical_en+self_instruct/train.jsonl")
    assert len(fewer) == 164 + 12  # the real rows stay: only the number of generated ones differs
    assert {row["id"] for row in fewer} < {row["id"] for row in rows}
    with pytest.raises(
        UserError, match=r"0\.5 takes 164 generated rows beside all 164 real ones; 40 are there"
    ) as caught:
        cli.main(["convert", "--task", "medical_en+self_instruct@0.5"], standalone_mode=False)
    assert caught.value.hint == "make self-instruct TASK=medical_en N=164, or a share of at most 0.19"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("amount", "counts"),
    [("0", (164, 0)), ("0.1", (164, 18)), ("1", (0, 40)), ("25", (164, 25)), ("40", (164, 40))],
)
def test_amounts(endpoint: Endpoint, run: Run, read_rows: ReadRows, amount: str, counts: tuple[int, int]) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "40")
    cli.main(["convert", "--task", f"medical_en+self_instruct@{amount}"], standalone_mode=False)
    rows = read_rows(f"data/medical_en+self_instruct@{amount}/train.jsonl")
    made = [row for row in rows if "self_instruct" in row["id"]]
    assert (len(rows) - len(made), len(made)) == counts


def test_what_is_mixed_in_holds_no_question_of_today(
    endpoint: Endpoint, run: Run, read_rows: ReadRows, questions: Path
) -> None:
    """Questions that came to be judged after the rows were made."""
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "40")
    row = read_rows(f"{PART}/rows.jsonl")[7]
    judged = {"id": "q1", "question": f"{row['instruction']} {row['input']}"}
    (questions / "medical_en.jsonl").write_text(json.dumps(judged) + "\n")
    cli.main(["convert", "--task", "medical_en+self_instruct"], standalone_mode=False)
    mixed = read_rows("data/medical_en+self_instruct/train.jsonl")
    assert len(mixed) == 164 + 39
    assert row["id"] not in {found["id"] for found in mixed}
    left_out = read_rows("data/medical_en+self_instruct/rejected.jsonl")
    assert [(found["step"], found["row"]["id"]) for found in left_out] == [("contaminated", row["id"])]


@pytest.mark.slow
def test_a_part_of_other_rows_is_not_mixed_in(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "20")
    source = str(Path(__file__).resolve().parents[3] / "converters/examples/medical_en")
    convert = ["convert", "--task", "medical_en", "--source", source, "--set", "seed=1 test=0.3"]
    cli.main(convert, standalone_mode=False)
    with pytest.raises(UserError, match="was made from other rows of medical_en than are there now") as caught:
        cli.main(["convert", "--task", "medical_en+self_instruct"], standalone_mode=False)
    assert caught.value.hint == "make self-instruct TASK=medical_en FORCE=1 starts again"
    run("self-instruct", "--n", "20", "--force")


def test_judged_questions_test_rows_and_repeats_are_dropped(
    endpoint: Endpoint, run: Run, read_rows: ReadRows, questions: Path
) -> None:
    judged = {
        "id": "q1",
        "question": "Which foods should someone with advanced chronic kidney disease avoid eating daily?",
    }
    (questions / "medical_en.jsonl").write_text(json.dumps(judged) + "\n")
    tested = read_rows("data/medical_en/test.jsonl")[0]
    trained = max(read_rows("data/medical_en/train.jsonl"), key=lambda row: len(row["output"]))
    good = {
        "instruction": "Explain why gout often begins in the big toe.",
        "input": "",
        "output": "Urate settles there.",
    }
    bad = [
        {"instruction": judged["question"], "input": "", "output": "Bananas, potatoes, and salted meat, as a rule."},
        {"instruction": tested["instruction"], "input": "", "output": "It depends on the family that you come from."},
        {key: trained[key] for key in ("instruction", "input", "output")},
        good | {"instruction": "Explain why gout so often begins in the big toe!"},
    ]

    def behaviour(body: dict[str, Any], number: int) -> str:
        return json.dumps({"tasks": [good, *bad]})

    endpoint.behaviour = behaviour
    run("self-instruct", "--n", "1")
    assert [row["instruction"] for row in read_rows(f"{PART}/rows.jsonl")] == [good["instruction"]]
    steps = [(row["step"], row["item"]) for row in read_rows(f"{PART}/rejected.jsonl")]
    assert steps == [("contaminated", 1), ("copy", 2), ("near_duplicate", 3), ("similar", 4)]


def test_a_copy_of_a_real_row_in_any_field_is_dropped(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    trained = next(row for row in read_rows("data/medical_en/train.jsonl") if 300 < len(row["output"]) < 900)
    question, answer = trained["instruction"], trained["output"]
    new = {
        "instruction": "Explain why gout often begins in the big toe.",
        "input": "",
        "output": "Urate settles there.",
    }
    items = [
        new,
        {"instruction": "Answer the question of this patient as well as you can.", "input": question, "output": answer},
        {
            "instruction": "Summarize what the leaflet for the ward says.",
            "input": answer,
            "output": "It is about the daily care of a sick person at home.",
        },
        {"instruction": "Which words would a kind nurse choose at night?", "input": "", "output": answer},
        {
            "instruction": "Tell a neighbour about cold feet and salt.",
            "input": "",
            "output": "Urate crystals like cold joints.",
        },
        {
            "instruction": "Which disease comes from pointed needles in joints?",
            "input": "",
            "output": "urate crystals like COLD joints",
        },
    ]
    endpoint.behaviour = lambda body, number: json.dumps({"tasks": items})
    run("self-instruct", "--n", "2")
    assert [row["output"] for row in read_rows(f"{PART}/rows.jsonl")] == [new["output"], items[4]["output"]]
    dropped = {row["item"]: (row["step"], row["reason"]) for row in read_rows(f"{PART}/rejected.jsonl")}
    assert {number: step for number, (step, _) in dropped.items()} == {1: "copy", 2: "copy", 3: "copy", 5: "copy"}
    assert dropped[3][1] == f"the answer of {trained['id']}"


def test_patterns_of_ones_own(endpoint: Endpoint, run: Run, workplace: Path, read_rows: ReadRows) -> None:
    (workplace / "mine.yaml").write_text("asked: [gout]\nanswered: [\\burate\\b]\n")
    bad = [
        {"instruction": "Explain why gout hurts that much.", "input": "", "output": "Crystals."},
        {"instruction": "Explain why the big toe hurts.", "input": "", "output": "Urate settles there."},
        {"instruction": "Explain why the left knee hurts.", "input": "", "output": "The cartilage is worn."},
    ]
    endpoint.behaviour = lambda body, number: json.dumps({"tasks": bad})
    run("self-instruct", "--n", "1", "--set", "banned=mine.yaml")
    assert [row["instruction"] for row in read_rows(f"{PART}/rows.jsonl")] == [bad[2]["instruction"]]
    assert [row["reason"] for row in read_rows(f"{PART}/rejected.jsonl")] == [
        "'gout' in what is asked",
        "'Urate' in what is answered",
    ]


def test_a_chinese_task_is_asked_in_chinese(endpoint: Endpoint, run: Run, workplace: Path) -> None:
    source = workplace / "law.jsonl"
    rows = [
        {"id": f"x-{n}", "input": f"借款合同第{n}种情形下利息怎样计算？", "output": f"按照约定的第{n}档利率计算。"}
        for n in range(40)
    ]
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    cli.main(["convert", "--task", "law_zh", "--source", str(source), "--set", "near=0"], standalone_mode=False)
    endpoint.behaviour = writes(chinese=True)
    run("self-instruct", "--n", "30", task="law_zh")
    assert "法律" in endpoint.calls[0]["messages"][0]["content"]
    found = card(Path("data/law_zh/self_instruct"))
    assert found["made_from"]["prompt"].startswith("self_instruct.zh.jinja")
    assert found["files"]["rows"]["rows"] == 30


def test_a_folder_of_own_prompts(endpoint: Endpoint, run: Run, workplace: Path) -> None:
    (workplace / "mine").mkdir()
    (workplace / "mine" / "self_instruct.en.jinja").write_text("Give me {{ count }} about {{ domain }}.")
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "5", "--prompts", "mine")
    assert endpoint.calls[0]["messages"][0]["content"] == "Give me 20 about medicine."


def test_price_first_and_nothing_asked(endpoint: Endpoint, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("self-instruct", "--n", "100", "--dry-run")
    told = capsys.readouterr().out
    assert "100 new rows: at least 5 calls to fake" in told
    assert "$0.0000" in told
    assert endpoint.calls == []
    assert not PART.exists()


@pytest.mark.slow
def test_sharegpt_rows_get_sharegpt_company(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    examples = str(Path(__file__).resolve().parents[3] / "converters/examples/medical_en")
    cli.main(["convert", "--task", "medical_en", "--source", examples, "--format", "sharegpt", "--set", "system=true"],
             standalone_mode=False)  # fmt: skip
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "10")
    rows = read_rows("data/medical_en+self_instruct/train.jsonl")
    assert {tuple(row) for row in rows} == {("id", "conversations", "system")}
    assert rows[-1]["system"] == rows[0]["system"] != ""
    assert rows[-1]["conversations"][1]["from"] == "gpt"


def test_the_prompts_own_words_and_marks_are_no_task(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    def behaviour(body: dict[str, Any], number: int) -> str:
        copied = "A language model will be trained to solve them, so each comes with its solution."
        bad = [
            {"instruction": f"Write some new tasks. {copied}", "input": "noinput", "output": "They follow one by one."},
            {"instruction": "Which drug thins the blood?", "input": "noinput", "output": "noinput"},
        ]
        return json.dumps({"tasks": [*bad, *(task_of(random.Random(f"{number} {place}")) for place in range(18))]})

    endpoint.behaviour = behaviour
    run("self-instruct", "--n", "10")
    dropped = read_rows("data/medical_en/self_instruct/rejected.jsonl")
    assert {"broken", "copy"} <= {row["step"] for row in dropped}
    assert any(row["reason"].startswith("the prompt's own words: 'alanguagemodelwillbetrained") for row in dropped)
