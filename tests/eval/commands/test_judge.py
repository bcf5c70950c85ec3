"""The command as a user types it, against the stand-in and against a real server."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from common.errors import UserError
from eval.__main__ import main
from tests.endpoint import Endpoint, completion, error

# Twelve judgments; the two pairs of like answers make the same prompt in both orders.
DISTINCT = 10


def eval_command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text())


def prefers_device(body: dict, number: int) -> str:
    """A judge with a mind: the answer that says "device" is better, whichever stands where."""
    prompt = body["messages"][0]["content"]
    first, second = re.findall(r"begin Assistant \d\n(.*?)\n==", prompt, re.DOTALL)
    points = ("device" in first) - ("device" in second)
    word = {1: "better than", -1: "worse than", 0: "equal to"}[points]
    return f"Both try.\n\nAssistant 1 is {word} Assistant 2"


def test_stand_in_counts_wins_ties_and_losses(run: Path) -> None:
    result = eval_command("judge", "--run", run)
    (comparison,) = metrics(run)["comparisons"]
    assert (comparison["a"], comparison["b"]) == ("tuned", "base")
    assert (comparison["wins"], comparison["ties"], comparison["losses"]) == (4, 2, 0)
    assert comparison["win_rate"] == pytest.approx(5 / 6)
    assert comparison["consistency"] == 1
    assert "4/2/0" in result.output
    assert "offline stand-in" in result.output


def test_model_judge_gets_both_orders_and_agrees_with_itself(
    run: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", "fake")
    (comparison,) = metrics(run)["comparisons"]
    assert (comparison["wins"], comparison["ties"], comparison["losses"]) == (4, 2, 0)
    assert len(endpoint.calls) == DISTINCT
    rows = [json.loads(line) for line in (run / "judgments" / "fake.jsonl").read_text().splitlines()]
    assert sorted((row["id"], row["first"]) for row in rows) == sorted(
        (f"q{n}", first) for n in range(6) for first in ("base", "tuned")
    )
    assert rows[0]["replies"][0]["text"].startswith("Both try.")


def test_judge_that_always_prefers_the_first_makes_ties_and_is_named(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, number: "Assistant 1 is better than Assistant 2"
    result = eval_command("judge", "--run", run, "--judge", f"biased@{endpoint.url}")
    (comparison,) = metrics(run)["comparisons"]
    assert (comparison["wins"], comparison["ties"], comparison["losses"]) == (0, 6, 0)
    assert comparison["consistency"] == 0
    assert comparison["first_share"] == 1
    assert "biased is unusable: 100% of its winners are the answer shown first" in result.output
    assert comparison["win_rate"] is None
    assert comparison["withheld"] == {"place": 1, "share": 1.0}


def test_second_run_costs_nothing_and_says_the_same(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    rows = (run / "judgments" / "fake.jsonl").read_bytes()
    first = metrics(run)
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    assert len(endpoint.calls) == DISTINCT
    assert rows == (run / "judgments" / "fake.jsonl").read_bytes()
    assert first | {"versions": {}} == metrics(run) | {"versions": {}}  # the checkout may change meanwhile


def test_no_verdict_is_asked_for_once_more_then_counted(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, number: "I cannot decide."
    result = eval_command("judge", "--run", run, "--judge", f"shy@{endpoint.url}")
    (comparison,) = metrics(run)["comparisons"]
    assert comparison["unparsed"] == 6
    assert comparison["win_rate"] is None
    assert len(endpoint.calls) == 2 * DISTINCT
    assert "6 of 6 questions without a verdict" in result.output


def test_second_asking_can_succeed(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, number: (
        "Hm." if len(body["messages"]) == 1 else "Assistant 1 is equal to Assistant 2"
    )
    eval_command("judge", "--run", run, "--judge", f"slow@{endpoint.url}")
    assert metrics(run)["comparisons"][0]["ties"] == 6
    assert metrics(run)["judges"]["slow"]["asked_again"] == 12


@pytest.mark.slow
def test_answers_from_an_endpoint_and_judging_three_contestants(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, number: "A device, I think."
    eval_command(
        "answer", "--run", run, "--who", "chatgpt", "--endpoint", endpoint.url, "--model-name", "fake",
        "--questions", run / "questions.jsonl", "--system", "Be brief.",
    )  # fmt: skip
    assert endpoint.calls[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    eval_command("judge", "--run", run)
    found = [(row["a"], row["b"]) for row in metrics(run)["comparisons"]]
    assert found == [("tuned", "base"), ("tuned", "chatgpt"), ("base", "chatgpt")]


def test_dry_run_asks_nothing_and_shows_the_price(run: Path, endpoint: Endpoint) -> None:
    result = eval_command("judge", "--run", run, "--judge", f"gpt-4o@{endpoint.url}", "--dry-run")
    assert endpoint.calls == []
    assert re.search(r"10 calls to gpt-4o, about [\d,]+ tokens in and about 3,500 out, about \$0\.0\d+", result.output)


def test_the_price_is_of_what_is_not_paid_for_yet(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"gpt-4o@{endpoint.url}")
    told = eval_command("judge", "--run", run, "--judge", f"gpt-4o@{endpoint.url}", "--dry-run").output
    assert "gpt-4o: all 12 replies are in the cache" in told
    told = eval_command("judge", "--run", run, "--judge", f"gpt-4o@{endpoint.url}", "--dry-run", "--canaries", 1).output
    assert "5 calls to gpt-4o" in told
    assert "(13 more cost nothing)" in told


@pytest.mark.slow
def test_the_price_is_told_without_a_key(run: Path) -> None:
    assert "10 calls to gpt-4o" in eval_command("judge", "--run", run, "--judge", "gpt-4o", "--dry-run").output


def test_structured_replies_and_an_endpoint_that_has_none(run: Path, endpoint: Endpoint) -> None:
    def structured(body: dict, number: int) -> object:
        if body["model"] == "old" and "response_format" in body:
            return error(400, "response_format is not supported", param="response_format", code="unsupported_parameter")
        text = prefers_device(body, number)
        if "response_format" not in body:
            return text
        assert body["response_format"]["json_schema"]["strict"]
        return json.dumps({"analysis": "x", "verdict": text.splitlines()[-1]})

    endpoint.behaviour = structured
    judges = [f"--judge={name}@{endpoint.url}" for name in ("new", "old")]
    eval_command("judge", "--run", run, *judges, "--structured")
    found = {row["judge"]: row for row in metrics(run)["comparisons"]}
    for name in ("new+structured", "old+structured"):
        assert (found[name]["wins"], found[name]["ties"], found[name]["losses"]) == (4, 2, 0)


def test_an_endpoint_that_ignores_the_schema_is_read_by_its_last_line(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"prose@{endpoint.url}", "--structured")
    row = metrics(run)["comparisons"][0]
    assert (row["wins"], row["ties"], row["losses"], row["unparsed"]) == (4, 2, 0, 0)


def test_no_structured_verdict_is_asked_for_once_more_as_a_label(run: Path, endpoint: Endpoint) -> None:
    def in_words(body: dict, number: int) -> str:
        return "The first one." if "response_format" in body else "Assistant 1 is equal to Assistant 2"

    endpoint.behaviour = in_words
    eval_command("judge", "--run", run, "--judge", f"words@{endpoint.url}", "--structured")
    assert metrics(run)["comparisons"][0]["ties"] == 6
    assert len(endpoint.calls) == 20  # of 12 prompts 2 are the same


def test_guided_judges_see_the_reference_and_others_do_not(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    assert not any("begin reference" in call["messages"][0]["content"] for call in endpoint.calls)
    endpoint.calls.clear()
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--guided")
    assert all("begin reference\nThing" in call["messages"][0]["content"] for call in endpoint.calls)
    assert {path.stem for path in (run / "judgments").glob("*")} == {"fake", "fake+guided"}


def test_a_users_own_prompt(run: Path, endpoint: Endpoint) -> None:
    Path("prompts").mkdir()
    Path("prompts/pair.en.jinja").write_text("MINE {{ question }} {{ first }} {{ second }} {{ labels.equal }}")
    endpoint.behaviour = lambda body, number: "Assistant 1 is equal to Assistant 2"
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--prompts", "prompts")
    assert all(call["messages"][0]["content"].startswith("MINE What is") for call in endpoint.calls)
    settings = metrics(run)["judges"]["fake"]["settings"]
    digest = hashlib.sha256(Path("prompts/pair.en.jinja").read_bytes()).hexdigest()
    assert settings == {
        "temperature": 0.0, "max_tokens": 1024, "prompt": f"pair.en.jinja {digest[:12]}", "endpoint": endpoint.url,
    }  # fmt: skip
    Path("prompts/pair.en.jinja").write_text("{{ broken")
    with pytest.raises(UserError, match="is no Jinja template"):
        eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--prompts", Path("prompts").resolve())
    Path("prompts/pair.en.jinja").write_text("{{ no_such_name }}")
    with pytest.raises(UserError, match="no_such_name"):
        eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--prompts", "./prompts/../prompts")


@pytest.mark.slow
def test_the_same_model_at_two_places_makes_two_judges(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    other = endpoint.url.replace("127.0.0.1", "localhost")
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url} fake@{other}")
    assert len(metrics(run)["judges"]) == 2


def test_failed_calls_are_counted_with_their_reason_and_tried_again(run: Path, endpoint: Endpoint) -> None:
    def long_ones_fail(body: dict, number: int) -> object:
        too_long = "What is thing 3?" in body["messages"][0]["content"]
        return error(400, "the prompt is too long") if too_long else prefers_device(body, number)

    endpoint.behaviour = long_ones_fail
    output = eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}").output
    assert "2 calls to judge `fake` failed (http 400: the prompt is too long)" in output
    assert metrics(run)["comparisons"][0]["unparsed"] == 1
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    assert metrics(run)["comparisons"][0]["wins"] == 4


def test_a_judge_that_never_answers_is_an_error_and_its_earlier_verdicts_stay(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    endpoint.behaviour = lambda body, number: error(400, "out of order")
    with pytest.raises(UserError, match="no call to fake was answered: http 400: out of order"):
        eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--max-tokens", 100)
    assert metrics(run)["comparisons"][0]["wins"] == 4
    with pytest.raises(UserError, match="no call to other was answered"):
        eval_command("judge", "--run", run, "--judge", f"other@{endpoint.url}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--who", "gpt"], "gpt has no answers"),
        (["--who", "base"], "needs two contestants"),
        (["--judge", "gpt-4o"], "needs OPENAI_API_KEY"),
        (["--judge", "x@127.0.0.1:1"], "'127.0.0.1:1' is not a URL"),
        (["--judge", "panel@http://127.0.0.1:1/v1"], "cannot name a judge"),
        (["--judge", "x@http://127.0.0.1:1/v1"], "nothing answers at"),
        (["--judge", "x@http://127.0.0.1:1/v1", "--prompts", "nowhere"], "there is no folder of prompts nowhere"),
    ],
)
def test_mistakes_are_told_in_one_line(run: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        eval_command("judge", "--run", run, *arguments)


def lines(run: Path, judge: str) -> list[str]:
    return (run / "judgments" / f"{judge}.jsonl").read_text().splitlines()


def add_contestant(run: Path, who: str, text: str) -> None:
    rows = [json.loads(line) for line in (run / "questions.jsonl").read_text().splitlines()]
    answers = [{"id": row["id"], "question": row["question"], "answer": text} for row in rows]
    (run / "answers" / f"{who}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answers))


@pytest.mark.slow
def test_judging_some_pairs_again_keeps_the_others(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    add_contestant(run, "third", "Some device.")
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--canaries", 1)
    before = lines(run, "fake")
    assert len(before) == 6 * 6 + 6
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--who", "tuned", "--who", "base")
    assert lines(run, "fake") == before
    eval_command("judge", "--run", run, "--judge", "reference")
    eval_command("judge", "--run", run, "--judge", "reference", "--who", "tuned", "--who", "base")
    assert len(lines(run, "reference")) == 36


def test_a_failed_call_does_not_replace_a_verdict(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")

    def fails_on_3(body: dict, number: int) -> object:
        failed = "What is thing 3?" in body["messages"][0]["content"]
        return error(400, "no") if failed else prefers_device(body, number)

    endpoint.behaviour = fails_on_3
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--max-tokens", 99)
    assert metrics(run)["comparisons"][0]["wins"] == 4
    assert {json.loads(row)["status"] for row in lines(run, "fake")} == {"ok"}


def test_the_same_model_at_another_address_has_a_file_of_its_own(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    other = endpoint.url.replace("127.0.0.1", "localhost")
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    before = lines(run, "fake")
    for _ in range(2):
        eval_command("judge", "--run", run, "--judge", f"fake@{other}")
        eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    assert lines(run, "fake") == before
    assert set(metrics(run)["judges"]) == {"fake", f"fake@{other.split('/')[2]}"}


@pytest.mark.slow
def test_answers_that_were_judged_are_kept_and_count_again_when_they_come_back(run: Path, endpoint: Endpoint) -> None:
    def long_or_short(body: dict, number: int) -> str:
        if "begin Assistant" in body["messages"][-1]["content"]:
            return prefers_device(body, number)
        return "A device." if body["max_tokens"] > 100 else "No idea."

    endpoint.behaviour = long_or_short
    ask = ["answer", "--run", run, "--who", "other", "--endpoint", endpoint.url, "--model-name", "m"]
    ask += ["--questions", run / "questions.jsonl"]
    judge = ["judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--who", "other", "--who", "base"]
    eval_command(*ask)
    eval_command(*judge)
    first, calls = metrics(run)["comparisons"], len(endpoint.calls)
    assert first[0]["losses"] == 4
    old = (run / "answers/other.jsonl").read_bytes()
    said = eval_command(*ask, "--max-tokens", 50, "--yes").output
    assert "6 answers of other that were judged are replaced" in said
    (kept,) = (run / "answers/replaced").iterdir()
    assert kept.read_bytes() == old
    eval_command("result", "--run", run)
    assert metrics(run)["stale_judgments"] == 12
    eval_command(*judge)
    assert metrics(run)["comparisons"][0]["losses"] == 0
    assert metrics(run)["stale_judgments"] == 0
    assert len(lines(run, "fake")) == 24
    calls = len(endpoint.calls)
    eval_command(*ask, "--yes")
    eval_command("result", "--run", run)
    assert metrics(run)["comparisons"] == first
    assert len(endpoint.calls) == calls


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-4@2026@{url}", "claude-4@2026"),
        ("@cf/meta/llama@{url}", "@cf/meta/llama"),
        ("qwen3:8b@{url}", "qwen3:8b"),
    ],
)
def test_a_models_name_may_hold_an_at_sign(run: Path, endpoint: Endpoint, name: str, model: str) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", name.format(url=endpoint.url))
    assert endpoint.calls[0]["model"] == model
    assert list(metrics(run)["judges"]) == [model]


def test_a_reply_that_was_cut_off_is_asked_for_again_with_more_room(run: Path, endpoint: Endpoint) -> None:
    def thinks(body: dict, number: int) -> object:
        return completion("", "length") if body["max_tokens"] <= 1024 else prefers_device(body, number)

    endpoint.behaviour = thinks
    eval_command("judge", "--run", run, "--judge", f"thinker@{endpoint.url}")
    assert metrics(run)["comparisons"][0]["wins"] == 4
    assert {call["max_tokens"] for call in endpoint.calls} == {1024, 5120}


@pytest.mark.slow
def test_an_answer_that_no_context_holds_is_cut_for_the_judge_and_that_is_said(run: Path, endpoint: Endpoint) -> None:
    path = run / "answers/base.jsonl"
    path.write_text(path.read_text().replace("I do not know.", "no " * 200_000, 1))
    endpoint.behaviour = prefers_device
    said = eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}").output
    assert "1 answer is longer than a judge can read" in said
    longest = max(len(call["messages"][0]["content"]) for call in endpoint.calls)
    assert longest < 110_000
    assert {json.loads(row)["note"] for row in lines(run, "fake")} == {"", "base's answer was cut in the judge's copy"}


def with_checklists(run: Path) -> None:
    path = run / "questions.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    points = ["Says that it is a device.", "Names what it measures.", "Gives the unit."]
    path.write_text("".join(json.dumps(row | {"checklist": points}) + "\n" for row in rows))


def test_the_checklist_is_shown_in_an_order_that_changes_with_the_pair(
    run: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    endpoint.behaviour = prefers_device
    with_checklists(run)
    eval_command("judge", "--run", run, "--judge", "fake", "--checklist")
    assert metrics(run)["comparisons"][0]["judge"] == "fake+checklist"
    orders: dict[str, set[tuple[str, ...]]] = {}
    for call in endpoint.calls:
        prompt = call["messages"][0]["content"]
        points = re.search(r"begin checklist\n(.*?)\n==", prompt, re.DOTALL)
        assert points
        question = re.search(r"What is thing \d", prompt)
        assert question
        orders.setdefault(question[0], set()).add(tuple(points[1].split("\n")))
    assert all(len(of) == 1 for of in orders.values())  # the same for both orders of a pair
    assert len({order for of in orders.values() for order in of}) > 1
    assert all("- Gives the unit." in order for of in orders.values() for order in of)


@pytest.mark.parametrize(("option", "lacks"), [("--checklist", "checklist"), ("--guided", "reference")])
def test_a_judge_cannot_be_shown_what_questions_lack(run: Path, option: str, lacks: str) -> None:
    path = run / "questions.jsonl"
    path.write_text(path.read_text().replace('"reference"', '"note"'))
    with pytest.raises(UserError, match=f"6 questions have no {lacks}") as caught:
        eval_command("judge", "--run", run, "--judge", "fake@http://localhost:1/v1", option)
    assert f"{lacks.upper() if lacks == 'checklist' else 'GUIDED'}=1" in str(caught.value.hint)


def test_votes_of_another_run_are_told_as_such(run: Path) -> None:
    rows = [
        {"id": f"q{n}", "judge": "human-anna", "first": "tuned", "second": "base", "winner": "tuned", "status": "vote",
         "pair_sha256": "of another run"} for n in range(3)
    ]  # fmt: skip
    (run / "judgments").mkdir()
    (run / "judgments" / "human-anna.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = eval_command("judge", "--run", run).output
    assert "None of the 3 votes of `human-anna` counts" in said
    assert f"make annotate RUN={run}" in said
    assert metrics(run)["stale_judgments"] == 0


def test_the_terminal_ends_with_three_pairs_cut_to_its_width(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    path = run / "answers" / "base.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["answer"] = "\x1b[31mNobody\x1b[0m 不知道 " * 60
    rows[1]["answer"] = "[bold]Thing 1 is a device for measuring 1 litres.[/bold]"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = eval_command("judge", "--run", run).output
    shown = said[said.index("largest win of tuned by reference") :]
    assert "a tie by reference" in shown
    assert "\x1b" not in shown
    assert all(cell_len(line) <= 60 for line in shown.splitlines())
    assert "tuned" in shown.splitlines()[2]
    assert "base" in shown.splitlines()[2]
