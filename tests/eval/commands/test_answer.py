"""Answers: from a run's own models, from any endpoint, from a file."""

import json
import stat
import sys
from pathlib import Path

import pytest

from common.errors import UserError
from eval.answering.ask import room_for
from eval.records.questions import Question
from tests.checkout import ROOT
from tests.endpoint import Endpoint, completion, error
from tests.eval.commands.test_judge import eval_command, metrics

SERVER = """#!{python}
import sys; sys.path.insert(0, {root!r})
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
import yaml
model = yaml.safe_load(open(sys.argv[2]))["model_name_or_path"]
open("starts", "a").write(model + "\\n")
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.reply({{"data": [{{"id": os.environ["API_MODEL_NAME"]}}]}})
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer " + os.environ["API_KEY"]
        text = model + " says " + body["messages"][-1]["content"]
        self.reply({{"choices": [{{"message": {{"content": text}}, "finish_reason": "stop"}}], "model": "x"}})
    def reply(self, value):
        data = json.dumps(value).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(data))); self.end_headers()
        self.wfile.write(data)
    def log_message(self, *a): pass
ThreadingHTTPServer(("127.0.0.1", int(os.environ["API_PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def served_run(run: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run with models to serve, by a stand-in for `llamafactory-cli api`."""
    (workplace / "bin").mkdir()
    (workplace / "bin" / "python").symlink_to(sys.executable)
    command = workplace / "bin" / "llamafactory-cli"
    command.write_text(SERVER.format(python=sys.prefix + "/bin/python", root=str(ROOT)))
    command.chmod(command.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setattr(sys, "executable", str(workplace / "bin" / "python"))
    for who in ("base", "tuned"):
        (run / "answers" / f"{who}.jsonl").unlink()
        (run / "serve").mkdir(exist_ok=True)
        (run / "serve" / f"{who}.yaml").write_text(f"model_name_or_path: org/{who}\ninfer_backend: huggingface\n")
    return run


def rows(run: Path, who: str) -> list[dict]:
    return [json.loads(line) for line in (run / "answers" / f"{who}.jsonl").read_text().splitlines()]


def test_a_missing_model_is_told_before_the_other_is_asked(served_run: Path) -> None:
    (served_run / "serve/tuned.yaml").write_text(f"model_name_or_path: {served_run}/export\n")
    with pytest.raises(UserError, match=r"has not been \w+ yet"):
        eval_command("answer", "--run", served_run, "--limit", 3)
    assert not Path("starts").exists()


@pytest.mark.slow
def test_a_run_answers_with_both_its_models_and_starts_none_again(served_run: Path) -> None:
    eval_command("answer", "--run", served_run, "--limit", 3, "--max-tokens", 64)
    assert [row["answer"].split()[0] for row in rows(served_run, "tuned")] == ["org/tuned"] * 3
    assert rows(served_run, "base")[0]["model"] == "org/base"
    settings = rows(served_run, "base")[0]["settings"]
    assert (settings["temperature"], settings["max_tokens"]) == (0.0, 64)
    assert settings == rows(served_run, "tuned")[0]["settings"]
    assert settings["system"] == "", "as in training, of which nothing is known here"
    assert Path("starts").read_text().split() == ["org/base", "org/tuned"]
    before = rows(served_run, "base")
    eval_command("answer", "--run", served_run, "--limit", 3, "--max-tokens", 64)
    assert rows(served_run, "base") == before
    assert Path("starts").read_text().split() == ["org/base", "org/tuned"]
    eval_command("judge", "--run", served_run)
    assert metrics(served_run)["comparisons"][0]["questions"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(("serving", "room"), [("", 512), ("enable_thinking: true\n", 512 + 4096)])
def test_both_have_the_room_that_the_references_ask_for_and_the_training_rows_system_prompt(
    served_run: Path, serving: str, room: int
) -> None:
    manifest = {"task": "medical_en", "model": "m", "method": "lora", "data": {"system": "Be brief."}}
    (served_run / "manifest.json").write_text(json.dumps(manifest))
    for who in ("base", "tuned"):
        with (served_run / "serve" / f"{who}.yaml").open("a") as file:
            file.write(serving)
    said = eval_command("answer", "--run", served_run, "--limit", 2).output
    for who in ("base", "tuned"):
        settings = rows(served_run, who)[0]["settings"]
        assert (settings["max_tokens"], settings["system"]) == (room, "Be brief.")
    assert f"room for each answer: {room:,} tokens (the least; the longest reference answer has " in said
    assert ("; 4,096 for the thought before it" in said) == (room > 4096)
    assert "system prompt: Be brief., as in the training rows" in said
    eval_command("answer", "--run", served_run, "--limit", 2, "--max-tokens", 9, "--temperature", 0.7, "--system", "")
    settings = rows(served_run, "base")[0]["settings"]
    assert (settings["max_tokens"], settings["temperature"], settings["system"]) == (9, 0.7, "")


@pytest.mark.parametrize(("characters", "room"), [(40, 512), (1200, 640), (40_000, 2048)])
def test_room_is_twice_the_longest_reference_within_bounds(characters: int, room: int) -> None:
    asked = [Question("a", "Why?", "x" * 8), Question("b", "How?", "y" * characters)]
    given, why = room_for(asked, thinks=False)
    assert given == room
    assert f"{characters // 4:,}" in why
    assert room_for(asked, thinks=True)[0] == room + 4096


def test_room_is_never_more_than_the_models_context_leaves(served_run: Path, workplace: Path) -> None:
    config = workplace / "models" / "small" / "config.json"
    config.parent.mkdir(parents=True)
    (served_run / "serve" / "tuned.yaml").write_text("model_name_or_path: models/small\n")
    config.write_text('{"max_position_embeddings": 300}')
    for words in ([], ["--max-tokens", 400]):
        said = eval_command("answer", "--run", served_run, "--limit", 1, "--dry-run", *words).output
        assert "room for each answer: 208 tokens (what a context of 300 leaves beside the longest question)" in said
    assert (
        "80 tokens (as MAX_TOKENS says)"
        in eval_command("answer", "--run", served_run, "--dry-run", "--max-tokens", 80).output
    )
    config.write_text('{"max_position_embeddings": 100}')
    with pytest.raises(UserError, match="leaves no room to answer in a context of 100"):
        eval_command("answer", "--run", served_run, "--limit", 1)


@pytest.mark.slow
def test_a_step_of_a_longer_command_leaves_the_three_pairs_to_the_judge(
    served_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "a tie by likeness" in eval_command("answer", "--run", served_run, "--limit", 3).output
    monkeypatch.setenv("WHETSTONE_STEP", "1")
    assert "a tie by likeness" not in eval_command("answer", "--run", served_run, "--limit", 3).output
    assert "a tie by reference" in eval_command("judge", "--run", served_run).output


@pytest.mark.slow
def test_more_questions_ask_only_the_new_ones(served_run: Path) -> None:
    eval_command("answer", "--run", served_run, "--limit", 2, "--who", "base")
    eval_command("answer", "--run", served_run, "--limit", 5, "--who", "base")
    assert len(rows(served_run, "base")) == 5
    assert Path("starts").read_text().split() == ["org/base"] * 2


@pytest.mark.slow
def test_multiple_choice_is_answered_and_scored_but_not_judged(workplace: Path, endpoint: Endpoint) -> None:
    def answers(letter: str):
        return lambda body, number: f"{letter}。" if "正确选项" in body["messages"][-1]["content"] else "看情况。"

    for who, letter in (("base", "A"), ("tuned-elsewhere", "B")):
        endpoint.behaviour = answers(letter)
        eval_command(
            "answer",
            "--run",
            "r",
            "--task",
            "finance_zh",
            "--who",
            who,
            "--endpoint",
            endpoint.url,
            "--model-name",
            who,
        )
    eval_command("judge", "--run", "r")
    found = metrics(Path("r"))
    assert found["comparisons"][0]["questions"] == 20
    assert found["choice"]["questions"] >= 10
    right = [
        row["letter"] for row in map(json.loads, Path("r/questions.jsonl").read_text().splitlines()) if row["letter"]
    ]
    assert found["choice"]["scores"]["base"]["accuracy"] == pytest.approx(right.count("A") / len(right))


def test_chatgpt_needs_only_its_name_and_a_key(run: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    eval_command("answer", "--run", run, "--who", "chatgpt", "--questions", run / "questions.jsonl")
    assert endpoint.calls[0]["model"] == "gpt-6-luna"
    assert rows(run, "chatgpt")[0]["model"] == "gpt-6-luna"


def test_answers_from_a_file_by_id_or_by_text(run: Path, workplace: Path) -> None:
    Path("mine.jsonl").write_text(
        "".join(json.dumps({"question": f"What is thing {n}?", "answer": f"A{n}"}) + "\n" for n in range(6))
    )
    eval_command(
        "answer", "--run", run, "--who", "mine", "--file", "mine.jsonl", "--questions", run / "questions.jsonl"
    )
    assert [(row["id"], row["answer"]) for row in rows(run, "mine")] == [(f"q{n}", f"A{n}") for n in range(6)]
    Path("mine.csv").write_text(
        "\ufeffquestion,answer\n" + "".join(f'What is thing {n}?,"A{n}, I think"\n' for n in range(6)), encoding="utf-8"
    )
    eval_command("answer", "--run", run, "--who", "mine", "--file", "mine.csv", "--questions", run / "questions.jsonl")
    assert rows(run, "mine")[5]["answer"] == "A5, I think"
    eval_command(
        "answer", "--run", run, "--who", "again", "--file", run / "answers/tuned.jsonl",
        "--questions", run / "questions.jsonl",
    )  # fmt: skip
    assert rows(run, "again")[0]["model"] == "models/tuned"
    Path("mine.jsonl").write_text('{"id": "q0", "output": null}\n')
    with pytest.raises(UserError, match="row 1: no answer; its columns are id, output"):
        eval_command("answer", "--run", run, "--who", "x", "--file", "mine.jsonl", "--task", "law_en")
    Path("mine.jsonl").write_text('{"id": "q0", "answer": "A"}\n{"id": "q1", "question": "Another", "answer": "B"}\n')
    with pytest.raises(UserError, match="no answer to 5 of 6 questions"):
        eval_command(
            "answer", "--run", run, "--who", "x", "--file", "mine.jsonl", "--questions", run / "questions.jsonl"
        )


@pytest.mark.slow
def test_a_refused_question_is_counted_and_left_out(run: Path, endpoint: Endpoint) -> None:
    def behaviour(body: dict, number: int):
        if "thing 2" in body["messages"][-1]["content"]:
            return completion("", "content_filter")
        return error(400, "too long") if "thing 3" in body["messages"][-1]["content"] else "A device."

    endpoint.behaviour = behaviour
    output = eval_command(
        "answer", "--run", run, "--who", "other", "--endpoint", endpoint.url, "--model-name", "m",
        "--questions", run / "questions.jsonl",
    ).output  # fmt: skip
    assert "4 answers; 1 failed (http 400: too long); the same command tries them again; 1 refused by a" in output
    output = eval_command("judge", "--run", run, "--who", "other", "--who", "base").output
    assert metrics(run)["comparisons"][0]["questions"] == 4
    assert "2 questions have no answer of other" in output


@pytest.mark.slow
def test_empty_and_cut_off_answers_are_told_at_once(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, number: (
        completion("<think>well</think>") if number % 2 else completion("half a", "length")
    )
    output = eval_command(
        "answer", "--run", run, "--who", "short", "--endpoint", endpoint.url, "--questions", run / "questions.jsonl"
    ).output
    assert "6 answers; 3 empty; 3 cut off: MAX_TOKENS= allows longer ones" in output
    endpoint.behaviour = lambda body, number: error(400, "no")
    with pytest.raises(UserError, match="no call for short was answered: http 400: no"):
        eval_command(
            "answer", "--run", run, "--who", "short", "--endpoint", endpoint.url, "--max-tokens", 9,
            "--questions", run / "questions.jsonl",
        )  # fmt: skip
    assert len(rows(run, "short")) == 6
    assert "Empty answers of short: 3." in eval_command("judge", "--run", run).output


def test_other_questions_under_the_same_ids_are_not_mixed_up(run: Path, endpoint: Endpoint) -> None:
    before = (run / "questions.jsonl").read_bytes()
    Path("others.jsonl").write_text('{"id": "q0", "question": "Something else?"}\n')
    ask = ["answer", "--run", run, "--who", "x", "--model-name", "m", "--questions", "others.jsonl"]
    with pytest.raises(UserError, match="has another question under the id q0"):
        eval_command(*ask, "--endpoint", endpoint.url)
    with pytest.raises(UserError, match="needs OPENAI_API_KEY"):
        eval_command(*ask)
    assert (run / "questions.jsonl").read_bytes() == before
    (run / "answers" / "x.jsonl").write_text('{"id": "q0", "question": "Something else?", "answer": "A"}\n')
    with pytest.raises(UserError, match="answered another question under the id q0"):
        eval_command("judge", "--run", run, "--judge", f"m@{endpoint.url}")


def test_questions_that_come_later_stand_beside_those_that_others_answered(run: Path, endpoint: Endpoint) -> None:
    Path("more.jsonl").write_text('{"id": "new", "question": "Something new?", "reference": "A device."}\n')
    for who in ("x", "y"):
        eval_command(
            "answer",
            "--run",
            run,
            "--who",
            who,
            "--model-name",
            who,
            "--endpoint",
            endpoint.url,
            "--questions",
            "more.jsonl",
        )
    eval_command("judge", "--run", run)
    found = {(row["a"], row["b"]): row["questions"] for row in metrics(run)["comparisons"]}
    assert found == {("tuned", "base"): 6, ("x", "y"): 1}
    assert metrics(run)["questions"] == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--run", "nowhere"], "there is no run in nowhere"),
        ([], "no run was named"),
        (["--run", "r", "--who", "gpt-4o", "--task", "law_en"], "needs OPENAI_API_KEY"),
        (["--run", "r", "--endpoint", "http://127.0.0.1:1/v1", "--task", "law_en"], "which model at"),
        (["--run", "r", "--who", "a/b", "--task", "law_en", "--endpoint", "http://127.0.0.1:1/v1"], "cannot name"),
        (["--run", "r", "--who", "x"], "no questions were named"),
        (["--run", "r", "--task", "law_xx", "--who", "x"], "unknown task"),
        (["--run", "r", "--task", "law_en", "--who", "x", "--file", "none.jsonl"], "no file of answers"),
        (["--run", "r", "--task", "law_en", "--who", "x", "--who", "y"], "one contestant"),
        (
            ["--run", "r", "--task", "law_en", "--test-rows", "5", "--who", "x"],
            "make convert TASK=law_en|there is no data",
        ),
    ],
)
def test_mistakes_are_told(workplace: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        eval_command("answer", *arguments)


def test_a_run_without_models_to_serve(run: Path) -> None:
    with pytest.raises(UserError, match=r"there is no .*serve/base\.yaml to serve"):
        eval_command("answer", "--run", run)


def test_judged_answers_are_replaced_only_by_a_yes_that_is_asked_for_before_anything_is_paid(
    run: Path, endpoint: Endpoint
) -> None:
    eval_command("judge", "--run", run, "--judge", "reference")
    again = ["answer", "--run", run, "--who", "tuned", "--endpoint", endpoint.url, "--model-name", "m"]
    again += ["--questions", run / "questions.jsonl", "--max-tokens", 99]
    told = "12 votes and verdicts on answers of tuned will not count for the new ones; the old ones are kept in"
    assert told in eval_command(*again, "--dry-run").output
    with pytest.raises(UserError, match=told) as refused:
        eval_command(*again)
    assert "YES=1" in refused.value.hint
    assert endpoint.calls == []
    (run / "mine.jsonl").write_text((run / "answers" / "tuned.jsonl").read_text().replace("Thing 0 is", "Thing 0 was"))
    with pytest.raises(UserError, match="2 votes and verdicts on answers of tuned"):
        eval_command("answer", "--run", run, "--who", "tuned", "--file", run / "mine.jsonl", *again[-4:-2])
    endpoint.behaviour = lambda body, number: "A device."
    eval_command(*again, "--yes")
    assert endpoint.calls
