"""A task of the user's own: one YAML file or one module, and `new`, which proposes it."""

import json
from pathlib import Path

import pytest

from common.errors import UserError
from converters.convert import convert
from converters.read.sources import split_of
from converters.registry import load_task, task_names
from converters.settings import build_settings

NOTHING = dict.fromkeys(("instruction", "input", "output", "language", "domain", "system"), "")
RECIPES = [
    {"dish": f"soup number {i}", "cuisine": "French" if i % 2 else "Thai", "steps": [f"Chop {i} onions.", "Simmer."],
     "stars": i % 5 + 1, "meta": {"lang": "en"}}
    for i in range(30)
]  # fmt: skip


def task_file(name, **about):
    Path("tasks").mkdir(exist_ok=True)
    Path(f"tasks/{name}.yaml").write_text(json.dumps(about))
    return load_task(name)


def rows_file(name="soups.jsonl", rows=RECIPES):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def test_templates_paths_lists_filters_and_settings(read_rows):
    task = task_file(
        "soups",
        source=rows_file(),
        columns={"instruction": "How do I cook {dish} ({cuisine})?", "output": "steps", "system": "meta.lang"},
        filters=[{"column": "stars", "at_least": 3}, {"column": "cuisine", "one_of": ["French", "Thai"]}],
        splits={"test": 0.2, "val": 0},
        settings={"near": 0, "min_output": 5},
        domain="cooking",
    )
    card = convert(task)
    rows = [row for split in ("train", "test") for row in read_rows(f"data/soups/{split}.jsonl")]
    assert len(rows) == 18
    assert card["files"]["val"]["rows"] == 0
    assert rows[0]["instruction"].startswith("How do I cook soup number ")
    assert rows[0]["output"].endswith(" onions.\nSimmer.")
    assert rows[0]["system"] == "en"
    assert {step["step"]: step["dropped"] for step in card["steps"]}["filter"] == 12
    assert "soups" in task_names()
    info = json.loads(Path("dataset_info.json").read_text())
    assert info["soups"]["columns"]["system"] == "system"
    assert "soups_val" not in info


@pytest.mark.parametrize("names", [("role", "content", "user", "assistant"), ("from", "value", "human", "gpt")])
@pytest.mark.parametrize("formatting", ["alpaca", "sharegpt"])
def test_conversations_of_several_turns(read_rows, names, formatting):
    role, content, user, assistant = names
    talk = [
        [{role: "system", content: "Be brief."}]
        + [{role: who, content: f"{said} {i}"} for said, who in
           (("hello there", user), ("hello to you", assistant), ("what is gout", user), ("a disease of joints", assistant))]  # noqa: E501
        for i in range(12)
    ]  # fmt: skip
    bad = [
        [{role: user, content: "alone"}],
        [],
        [{role: "tool", content: "x"}],
        "text",
        [talk[0][1], talk[0][1], talk[0][2]],
    ]
    rows = [{"messages": messages} for messages in [*talk, *bad]]
    task = task_file(
        "talks", source=rows_file("talks.jsonl", rows), conversations="messages", settings={"errors": 1, "near": 0}
    )
    card = convert(task, given={"format": formatting})
    assert card["files"]["rejected"]["rows"] == len(bad)
    row = read_rows("data/talks/train.jsonl")[0]
    assert row["system"] == "Be brief."
    if formatting == "alpaca":
        assert row["history"][0][0].startswith("hello there")
        assert row["instruction"].startswith("what is gout")
        assert json.loads(Path("dataset_info.json").read_text())["talks"]["columns"]["history"] == "history"
    else:
        assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt", "human", "gpt"]


def test_a_module_is_a_task_too(read_rows):
    Path("tasks").mkdir()
    Path("tasks/toys.py").write_text(
        "from converters.task import File, Record, Task\n"
        "def convert(row, file, options):\n"
        "    return Record('Say ' + row['word'] + options['mark'], '', row['word'] * 3)\n"
        "TASK = Task(name='toys', title='Toys', language='en', domain='play', files=(File('toys.jsonl', ('word',)),),\n"
        "            convert=convert, source='toys.jsonl', options={'mark': '!'})\n"
    )
    rows_file("toys.jsonl", [{"word": f"w{'xyz'[i % 3]}{i}"} for i in range(12)])
    convert(load_task("toys"), given={"mark": "?", "near": 0})
    assert all(row["instruction"].endswith("?") for row in read_rows("data/toys/train.jsonl"))


def test_a_converter_that_stumbles_costs_only_the_row():
    Path("tasks").mkdir()
    Path("tasks/toys.py").write_text(
        "from converters.task import File, Record, Task\n"
        "def convert(row, file, options):\n"
        "    return Record('What is ' + row['word'], '', str(100 / row['n']))\n"
        "TASK = Task(name='toys', title='Toys', language='en', domain='play', files=(File('toys.jsonl', ('word',)),),\n"
        "            convert=convert, source='toys.jsonl')\n"
    )
    rows_file("toys.jsonl", [{"word": f"word {i}", "n": i} for i in range(12)])
    card = convert(load_task("toys"), given={"near": 0})
    (step,) = [step for step in card["steps"] if step["step"] == "convert"]
    assert step["dropped"] == 1
    assert step["examples"] == ["toys.jsonl:1: ZeroDivisionError: division by zero"]


def test_everything_wrong_in_a_file_is_told_at_once():
    with pytest.raises(UserError) as caught:
        task_file("bad", source="x", colums={"instruction": "a"}, language=3, filters=[{"column": "a", "matches": "("}])
    for said in (
        "has 4 invalid entries", "unknown key 'colums'; did you mean columns?", "language must be a text, got 3",
        "filters.0.matches: Input should be a valid regular expression, got '('", "give either columns",
    ):  # fmt: skip
        assert said in caught.value.message
    with pytest.raises(UserError) as caught:
        task_file(
            "worse", columns={"instruction": "a", "answer": "b"}, splits={"dev": 0.1}, settings={"min_outptu": 3},
            filters=[{"column": "a", "above": 3}, {"column": "a"}, {"at_least": 3}],
        )  # fmt: skip
    for said in (
        "columns: unknown key 'answer'", "splits: unknown key 'dev'",
        "settings: unknown key 'min_outptu'; did you mean min_output?",
        "filters.0: unknown key 'above'", "filters.1: needs one of at_least", "missing key 'filters.2.column'",
    ):  # fmt: skip
        assert said in caught.value.message
    for about, said in (
        ({"columns": {"instruction": "a"}, "source": "x"}, "columns lacks output"),
        ({"columns": {"instruction": "a", "output": "b"}}, "give hub (a data set's id) or source"),
        ({"columns": {"instruction": "a"}, "conversations": "b", "source": "x"}, "exclude each other"),
    ):
        with pytest.raises(UserError) as caught:
            task_file("worst", **about)
        assert said in caught.value.message


def test_settings_of_a_task_are_checked_like_those_of_the_user():
    task = task_file(
        "bad", source="x", columns={"instruction": "a", "output": "b"},
        settings={"min_output": "many", "near": 5}, splits={"test": 7},
    )  # fmt: skip
    with pytest.raises(UserError) as caught:
        build_settings(task, {})
    for said in ("`settings` of task bad has", "min_output must be a whole number", "near must be from", "test"):
        assert said in caught.value.message
    task = task_file("good", source="x", columns={"instruction": "a", "output": "b"})
    with pytest.raises(UserError, match="task good has no system prompt, so system must be a text"):
        build_settings(task, {"system": True})
    assert build_settings(task, {"system": "Be brief."})[0].system == "Be brief."


def test_files_of_their_own_splits_are_known_by_name(read_rows):
    Path("parts").mkdir()
    for split, start in (("train", 0), ("validation", 100), ("test", 200)):
        rows = [{"q": f"what is thing {start + i}", "a": f"thing {start + i} is fine"} for i in range(10)]
        rows_file(f"parts/{split}-00000.jsonl", rows)
    task = task_file(
        "things",
        source="parts",
        columns={"instruction": "q", "output": "a"},
        settings={"near": 0, "decontaminate": False},
    )
    card = convert(task)
    assert {name: file["rows"] for name, file in card["files"].items()} == {
        "train": 10,
        "val": 10,
        "test": 10,
        "rejected": 0,
    }
    assert all(" 2" in row["instruction"] for row in read_rows("data/things/test.jsonl"))


def test_rows_need_not_say_that_they_have_no_input(read_rows):
    rows = [{"q": f"What is thing {i}?", "a": f"It is number {i}."} for i in range(20)]
    rows[7]["about"] = "a thing"
    about = {"source": rows_file("things.jsonl", rows), "settings": {"near": 0}}
    convert(task_file("things", columns={"instruction": "q", "input": "about", "output": "a"}, **about))
    kept = [row for split in ("train", "val", "test") for row in read_rows(f"data/things/{split}.jsonl")]
    assert sorted(row["input"] for row in kept) == [""] * 19 + ["a thing"]
    wrong = task_file("others", columns={"instruction": "q", "input": "abuot", "output": "a"}, **about)
    with pytest.raises(UserError, match=r"no row of things\.jsonl has abuot"):
        convert(wrong)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train-00000-of-00001.parquet", "train"), ("data/validation.jsonl", "val"), ("dev/0.csv", "val"),
        ("soups_test.jsonl", "test"), ("latest.jsonl", ""), ("valuation.csv", ""), ("test/train.csv", "train"),
    ],
)  # fmt: skip
def test_the_split_that_a_name_tells_of(path, split):
    assert split_of(Path(path)) == split


def test_a_file_that_is_called_test_and_is_all_there_is_trains_too():
    rows_file("my_test.jsonl", [{"q": f"what is thing {i}", "a": f"it is {i}"} for i in range(30)])
    card = convert(task_file("things", source="my_test.jsonl", columns={"instruction": "q", "output": "a"}))
    assert card["files"]["train"]["rows"]


def test_a_folder_as_the_hub_lays_it_out():
    Path("repo/data").mkdir(parents=True)
    Path("repo/.cache").mkdir()
    Path("repo/dataset_infos.json").write_text("{}")
    Path("repo/.cache/x.json").write_text("{}")
    for split in ("train", "test"):
        rows_file(f"repo/data/{split}-0.jsonl", [{"q": f"what is {split} {i}", "a": f"it is {i}"} for i in range(9)])
    about = {"columns": {"instruction": "q", "output": "a"}, "settings": {"near": 0, "decontaminate": False}}
    card = convert(task_file("things", source="repo", **about))
    assert (card["rows"], card["files"]["test"]["rows"]) == (18, 9)


def test_a_file_with_a_name_that_cannot_work_is_told():
    Path("tasks").mkdir()
    for name, said in (("law_en.yml", "the name of a built-in task"), ("my_test.yaml", "a name that no task can have")):
        Path("tasks", name).write_text("source: x\n")
        with pytest.raises(UserError, match=said):
            load_task(Path(name).stem)


def test_a_language_is_a_code():
    with pytest.raises(UserError, match="language: a code of two or three letters is wanted"):
        task_file("bad", source="x", language="English", columns={"instruction": "a", "output": "b"})
