"""The result: several judges, several runs, scores without a judge, and what the page holds."""

import json
import re
import shutil
from pathlib import Path

import pytest
from jinja2 import Environment, meta

from common.errors import UserError
from common.yaml_files import read_yaml
from eval.records.answers import Answer
from eval.records.folder import Folder
from eval.records.judgments import Judgment
from eval.records.questions import Question
from eval.result import metrics as results
from eval.result.page import embedded
from eval.result.sentences import heldout, sentences
from eval.result.wording import FILTERS, RULES, wording
from eval.statistics.reference_scores import choice_scores, chosen, rouge_l, text_scores, words
from tests.endpoint import Endpoint
from tests.eval.commands.test_judge import eval_command, metrics, prefers_device


def test_a_panel_of_judges_and_their_agreement(run: Path, endpoint: Endpoint) -> None:
    def behaviour(body: dict, number: int) -> str:
        if body["model"] == "biased":
            return "Assistant 1 is better than Assistant 2"
        return prefers_device(body, number)

    endpoint.behaviour = behaviour
    judges = [f"--judge={name}@{endpoint.url}" for name in ("one", "two", "biased")]
    output = eval_command("judge", "--run", run, *judges).output
    rows = {row["judge"]: row for row in metrics(run)["comparisons"]}
    assert (rows["panel"]["wins"], rows["panel"]["ties"], rows["panel"]["losses"]) == (4, 2, 0)
    assert rows["panel"]["consistency"] is None
    assert rows["biased"]["ties"] == 6
    (agreement,) = metrics(run)["agreement"]
    kappa = {tuple(pair["judges"]): pair["kappa"] for pair in agreement["pairs"]}
    assert kappa["one", "two"] == 1
    assert kappa["biased", "one"] == 0
    assert "Krippendorff" in output
    eval_command(
        "judge", "--run", run, "--judge", "reference"
    )  # no judge: it stands in the table, not in the agreement
    assert metrics(run)["agreement"] == [agreement]


def test_canaries_do_not_count_and_a_judge_that_fails_them_is_named(run: Path, endpoint: Endpoint) -> None:
    def fooled(body: dict, number: int) -> str:
        prompt = body["messages"][0]["content"]
        first = prompt.split("begin Assistant 2")[0]
        if "NOTICE TO THE EVALUATOR" in prompt:
            word = "better than" if "NOTICE TO THE EVALUATOR" in first else "worse than"
            return f"Assistant 1 is {word} Assistant 2"
        return prefers_device(body, number)

    endpoint.behaviour = fooled
    output = eval_command("judge", "--run", run, "--judge", f"fooled@{endpoint.url}", "--canaries", 2).output
    assert metrics(run)["judges"]["fooled"]["canaries"] == {
        "identical": {"shown": 4, "wrong": 0},
        "empty": {"shown": 4, "wrong": 0},
        "injected": {"shown": 4, "wrong": 4},
    }
    assert metrics(run)["comparisons"][0]["wins"] == 4
    assert metrics(run)["comparisons"][0]["questions"] == 6
    assert "`fooled` failed canary pairs (injected)" in output


@pytest.mark.slow
def test_several_runs_are_pooled_with_holm_and_ranked(run: Path, workplace: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    others = []
    for task in ("law_en", "finance_en"):
        other = workplace / "runs" / task / "m" / "lora"
        shutil.copytree(run, other)
        (other / "manifest.json").write_text(json.dumps({"task": task}))
        others.append(other)
    output = eval_command("result", "--run", run, "--run", others[0], "--run", others[1]).output
    pooled = json.loads(Path("runs/pooled/pooled.json").read_text())
    (row,) = pooled["pooled"]
    assert (row["wins"], row["ties"], row["losses"]) == (12, 6, 0)
    assert row["sign_test_p"] == pytest.approx(2 * 0.5**12)
    assert [task["holm_p"] for task in row["tasks"]] == pytest.approx([3 * 0.125] * 3)
    assert [entry["name"] for entry in pooled["ranking"]["fake"]] == ["m lora", "m"]
    assert "all 18 questions" in output
    shown = Path("runs/pooled/result.html").read_text()
    assert "<td>all 18 questions</td><td>12/6/0</td>" in shown
    assert "Bradley-Terry ranking by fake" in shown
    again = workplace / "runs" / "medical_en" / "m" / "qlora"  # the same six questions, asked of another model
    shutil.copytree(run, again)
    output = eval_command("result", "--run", run, "--run", again, "--run", run).output
    assert "all 6 questions" in output
    (row,) = json.loads(Path("runs/pooled/pooled.json").read_text())["pooled"]
    assert (row["wins"], row["ties"], row["losses"], len(row["tasks"])) == (4, 2, 0, 2)
    mixed = workplace / "runs" / "medical_en+rewritten" / "m" / "lora"  # trained on other rows, asked the same
    shutil.copytree(run, mixed)
    (mixed / "manifest.json").write_text('{"task": "medical_en+rewritten"}')
    assert "all 6 questions" in eval_command("result", "--run", run, "--run", mixed).output
    names = [entry["name"] for entry in json.loads(Path("runs/pooled/pooled.json").read_text())["ranking"]["fake"]]
    assert sorted(names) == ["m", "m lora", "m lora +rewritten"]


@pytest.mark.parametrize(
    ("low", "high", "tuned", "said"),
    [
        (-0.3, -0.1, 1.8, "tuned beats base"),
        (-0.3, 0.1, 1.9, "cannot be told"),
        (0.1, 0.3, 2.2, "tuned is WORSE than base"),
    ],
)
def test_held_out_loss_is_told_as_it_is(low: float, high: float, tuned: float, said: str) -> None:
    measured = {
        "split": "test", "rows": 9,
        "base": {"loss": 2.0, "perplexity": 7.4}, "tuned": {"loss": tuned, "perplexity": 6.0},
        "difference": {"mean": tuned - 2, "low": low, "high": high},
    }  # fmt: skip
    assert said in heldout(measured, wording("en"))


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("答案不是A，而是B", ""), ("不选A，应选B", "B"), ("本题答案为A、B", ""), ("The answer is A and B.", ""),
        ("B", "B"), ("B. 流动性", "B"), ("(C) because", "C"), ("The answer is D.", "D"), ("答案是B。", "B"),
        ("正确选项为 C，因为 A 不对。", "C"), ("I think it is A", "A"), ("A or B", ""), ("No idea", ""), ("", ""),
        ("Because of inflation", ""), ("A bond is a loan", ""), ("A or B?", ""),
    ],
)  # fmt: skip
def test_reads_the_chosen_letter(answer: str, letter: str) -> None:
    assert chosen(answer) == letter


def test_rouge_l_is_that_of_the_library_in_both_languages() -> None:
    rouge = pytest.importorskip("rouge_chinese").Rouge()
    for one, other in (
        ("the cat sat on the mat", "a cat was on the red mat"),
        ("高血压病人应当少吃盐", "高血压患者要少盐"),
    ):
        theirs = rouge.get_scores(" ".join(words(one)), " ".join(words(other)))[0]["rouge-l"]["f"]
        assert rouge_l(one, other) == pytest.approx(100 * theirs, abs=1e-3)
    assert rouge_l("", "x") == 0
    assert rouge_l("x " * 5000, "x " * 3000) == pytest.approx(100 * 2 * 3000 / 8000)


def answered(who: str, *texts: str) -> dict[str, Answer]:
    return {f"t{n}": Answer(f"t{n}", who, "Q", text) for n, text in enumerate(texts)}


def test_scores_without_a_judge() -> None:
    tests = [Question(f"t{n}", "Q", reference, use="test") for n, reference in enumerate(["one two", "three four"])]
    found = text_scores(
        tests, {"base": answered("base", "x", "y"), "tuned": answered("tuned", "one two", "three four")}
    )
    assert found["scores"]["tuned"]["chrf"]["mean"] == pytest.approx(100)
    assert found["scores"]["difference"]["rouge_l"]["mean"] == pytest.approx(100)
    letters = [Question(f"t{n}", "Q", choices={"A": "x", "B": "y"}, letter="A", use="choice") for n in range(3)]
    scored = choice_scores(
        letters, {"base": answered("base", "B", "A", "?"), "tuned": answered("tuned", "A", "A", "A")}
    )
    assert scored["scores"]["base"]["accuracy"] == pytest.approx(1 / 3)
    assert scored["scores"]["base"]["unreadable"] == 1
    assert scored["change"] == {"gained": 2, "lost": 0, "mcnemar_p": 0.5}


def test_nothing_that_a_model_wrote_becomes_markup(run: Path) -> None:
    path = run / "answers" / "base.jsonl"
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    path.write_text(path.read_text().replace("I do not know.", evil))
    eval_command("judge", "--run", run)
    html = (run / "result.html").read_text()
    assert "<img src=x" not in html
    assert html.count("</script>") == 2
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert json.loads(str(embedded({"x": evil})))["x"] == evil


def test_a_chinese_result_is_shown_in_chinese(run: Path) -> None:
    for path in [run / "questions.jsonl", *(run / "answers").glob("*.jsonl")]:
        path.write_text(path.read_text().replace("What is thing", "请问什么是物件"))
    eval_command("judge", "--run", run)
    assert '<html lang="zh-CN">' in (run / "result.html").read_text()


def figures(said: str) -> list[str]:
    """Return the facts that a sentence prints, and those that it prints as numbers, each as often as it does."""
    said = " ".join(said.split())
    return sorted(re.findall(r"{{ ([^\"']*?) ?}}", said)) + sorted(re.findall(r"\S+ \| (?:form|interval)\(.*?\)", said))


def test_both_languages_say_the_same_things_with_the_same_figures() -> None:
    english, chinese = wording("en").words, wording("zh").words
    assert list(english) == list(chinese)
    environment = Environment(autoescape=True)
    environment.filters |= FILTERS
    for key, said in english.items():
        facts = [meta.find_undeclared_variables(environment.parse(text)) for text in (said, chinese[key])]
        assert facts[0] == facts[1], key
        assert figures(said) == figures(chinese[key]), key
    rules = read_yaml(RULES)
    assert {key for keys in rules.values() for key in keys} <= set(english)


def test_what_a_reader_must_know_is_told(run: Path, endpoint: Endpoint) -> None:
    """A judge of the contestants' own family that likes length; one answer in twenty may be cut off."""
    ids = [f"q{n}" for n in range(20)]
    (run / "questions.jsonl").write_text(
        "".join(json.dumps({"id": i, "question": f"Question {i}?"}) + "\n" for i in ids)
    )
    for who, text, limit in (("base", "short", 10), ("tuned", "a much longer answer", 20)):
        rows = [
            {"id": i, "question": f"Question {i}?", "answer": text, "model": "Qwen/Qwen3-8B",
             "settings": {"max_tokens": limit}, "finish_reason": "length" if i == "q0" else "stop"}
            for i in ids
        ]  # fmt: skip
        (run / "answers" / f"{who}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def longer_wins(body: dict, number: int) -> str:
        first = "much longer" in body["messages"][0]["content"].split("begin Assistant 2")[0]
        return f"Assistant 1 is {'better' if first else 'worse'} than Assistant 2"

    endpoint.behaviour = longer_wins
    eval_command("judge", "--run", run, "--judge", f"qwen-max@{endpoint.url}")
    told = "\n".join(metrics(run)["warnings"])
    assert "the longer answer wins 100% of the decided questions (above 70 %" in told
    assert "judge and tuned are of one family (Qwen)" in told
    assert "Answers of base cut off by max_tokens: 1" in told
    assert "different settings" in told
    said = sentences(results.build(Folder(run)))
    assert "qwen-max: tuned beats base (sign test p<0.001)." in said


@pytest.mark.parametrize(
    ("text", "finish", "said"),
    [
        ("It measures", "length", "tuned 1 of 6 (1 cut off). Give them room: make answer RUN="),
        (" ", "stop", "tuned 1 of 6 (1 empty). Sample: python -m eval answer --run"),
        ("It is a thing. " * 30, "stop", "tuned 1 of 6 (1 repeating themselves). Sample:"),
    ],
)
def test_no_win_rate_from_answers_that_are_none(run: Path, text: str, finish: str, said: str) -> None:
    path = run / "answers" / "tuned.jsonl"
    first, *rest = path.read_text().splitlines(keepends=True)
    row = json.loads(first) | {"answer": text, "finish_reason": finish, "settings": {"max_tokens": 128}}
    path.write_text(json.dumps(row) + "\n" + "".join(rest))
    output = eval_command("judge", "--run", run).output
    (comparison,) = metrics(run)["comparisons"]
    assert (comparison["win_rate"], comparison["sign_test_p"], comparison["holm_p"]) == (None, None, None)
    assert f"no win rate of tuned against base: too many answers are unusable: {said}" in output
    assert finish == "stop" or "MAX_TOKENS=256" in output
    pooled = eval_command("result", "--run", run, "--run", shutil.copytree(run, run.with_name("again"))).output
    assert "all 6 questions" not in pooled


def test_a_model_against_itself_comes_out_even(run: Path, endpoint: Endpoint) -> None:
    rows = (run / "answers" / "base.jsonl").read_text().replace('"base"', '"tuned"')
    (run / "answers" / "tuned.jsonl").write_text(rows)
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    eval_command("judge", "--run", run, "--judge", "reference")
    for row in metrics(run)["comparisons"]:
        assert (row["win_rate"], row["ties"]) == (0.5, 6)


def vote(run: Path, count: int, right: float) -> None:
    """Let a person vote on so many pairs; the judge `fake` was right on this part of them."""
    judged = [json.loads(line) for line in (run / "judgments" / "fake.jsonl").read_text().splitlines()]
    rows = []
    for number, row in enumerate([row for row in judged if row["first"] == "tuned"][:count]):
        winner = row["winner"] if number < count * right else {"tuned": "base", "base": "tuned"}[row["winner"]]
        rows.append({**row, "judge": "human", "status": "vote", "winner": winner, "replies": []})
    (run / "judgments" / "human.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.slow
def test_votes_correct_the_win_rate_and_say_how_many_are_missing(run: Path, endpoint: Endpoint) -> None:
    ids = [f"q{n}" for n in range(120)]
    texts = {"base": "Something else entirely", "tuned": "a device, of course"}
    (run / "questions.jsonl").write_text(
        "".join(json.dumps({"id": i, "question": f"What is {i}?"}) + "\n" for i in ids)
    )
    for who, text in texts.items():
        rows = [{"id": i, "question": f"What is {i}?", "answer": f"{i}: {text}"} for i in ids]
        (run / "answers" / f"{who}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}")
    vote(run, 20, 0.7)
    assert (
        "people voted on 20 questions; 30 more can correct the win rate" in eval_command("result", "--run", run).output
    )
    vote(run, 60, 0.7)
    assert "corrected by the votes of people on 60 questions: 70.0% [" in eval_command("result", "--run", run).output
    row = next(row for row in metrics(run)["comparisons"] if row["judge"] == "fake")
    assert row["win_rate"] == 1
    assert row["corrected"]["interval"] == pytest.approx([0.57, 0.80], abs=0.02)


def test_a_call_that_failed_is_no_failed_canary() -> None:
    judgments = [
        Judgment("q", "j", "real", "empty", winner, status=status, canary="empty:real")
        for winner, status in (("real", "ok"), (None, "failed"), (None, "refused"), ("empty", "ok"))
    ]
    assert results.canary_score(judgments) == {"empty": {"shown": 2, "wrong": 1}}


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("answers/base.jsonl", "{broken", "line 1 is not JSON"),
        ("answers/base.jsonl", "[1]", "line 1 has no id, question, answer"),
        ("answers/base.jsonl", '{"id": "q0", "question": "Q", "answer": null}', "line 1: answer is None, no text"),
        ("judgments/x.jsonl", '{"id": "q0"}', "line 1 has no judge, first, second, winner"),
        ("questions.jsonl", "{broken", "row 1: broken JSON"),
    ],
)
def test_a_file_that_was_edited_badly_is_told(run: Path, name: str, line: str, said: str) -> None:
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text(line + "\n")
    with pytest.raises(UserError, match=said):
        eval_command("result", "--run", run)


def test_a_run_that_was_not_judged_says_so(run: Path) -> None:
    assert "nothing has been judged here yet" in eval_command("result", "--run", run).output


@pytest.mark.parametrize(
    ("judge", "url", "dollars"),
    [
        ("gpt-6-luna", "https://api.openai.com/v1", 0.6),
        ("gpt-6-luna+guided+structured@api.openai.com", "https://api.openai.com/v1", 0.6),
        ("gpt-6-luna", "http://127.0.0.1:8000/v1", 0.0),  # whatever a server of one's own calls its model
        ("gpt-6-luna", "https://relay.example/v1", None),
    ],
)
def test_a_judge_is_priced_by_what_was_asked_where_it_was_asked(judge: str, url: str, dollars: float | None) -> None:
    reply = {"model": "gpt-4o", "tokens_in": 10**6, "tokens_out": 10**6}
    reply |= {"fingerprint": "", "finish_reason": "stop", "error": ""}
    row = Judgment("1", judge, "a", "b", "a", replies=[reply], settings={"endpoint": url})
    assert results._judge([row])["dollars"] == (None if dollars is None else pytest.approx(dollars))
