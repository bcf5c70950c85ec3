"""`make general`: a run's own models on the general prompts, in the result and beside lm-eval's tasks."""

import json
import stat
import sys
from pathlib import Path

import pytest

from common.errors import UserError
from tests.eval.commands.test_answer import served_run  # noqa: F401
from tests.eval.commands.test_judge import eval_command, metrics

LM_EVAL = """#!{python}
import json, pathlib, sys, time
words = sys.argv[1:]
given = dict(zip(words[::2], words[1::2])) if words[0] != "run" else {{}}
out, model = (words[words.index(name) + 1] for name in ("--output_path", "--model"))
tasks = words[words.index("--tasks") + 1 : words.index("--apply_chat_template")]
open("lm_eval_calls", "a").write(" ".join(words) + "\\n")
folder = pathlib.Path(out) / "m"; folder.mkdir(parents=True, exist_ok=True)
rows = {{t: {{"alias": t, ("prompt_level_strict_acc" if t == "ifeval" else "acc") + ",none": 0.5,
         ("prompt_level_strict_acc" if t == "ifeval" else "acc") + "_stderr,none": 0.02}} for t in tasks}}
(folder / f"results_{{model}}.json").write_text(json.dumps({{"results": rows}}))
"""


@pytest.mark.slow
def test_what_both_models_follow_is_in_the_result(served_run: Path) -> None:  # noqa: F811
    said = eval_command("general", "--run", served_run).output
    assert (
        "plain instructions followed (all, 120, checked by program): base 0.0%, tuned 0.0%" in said
    )  # each repeats the prompt
    found = json.loads((served_run / "general.json").read_text())
    assert found["scores"]["all"]["difference"]["mean"] == 0
    assert len((served_run / "general" / "answers" / "tuned.jsonl").read_text().splitlines()) == 120
    assert "Note" not in said
    starts = Path("starts").read_text()
    eval_command("general", "--run", served_run)
    assert Path("starts").read_text() == starts  # every answer was kept


@pytest.mark.slow
def test_a_model_that_thinks_has_room_for_its_thought(served_run: Path) -> None:  # noqa: F811
    with (served_run / "serve" / "tuned.yaml").open("a") as file:
        file.write("enable_thinking: true\n")
    eval_command("general", "--run", served_run)
    for who in ("base", "tuned"):
        row = (served_run / "general" / "answers" / f"{who}.jsonl").read_text().splitlines()[0]
        assert json.loads(row)["settings"]["max_tokens"] == 512 + 4096


def test_a_loss_of_two_points_is_a_warning_of_the_result(run: Path) -> None:
    change = {"mean": -0.025, "low": -0.06, "high": 0.01}
    score = {"prompts": 120, "base": 0.5, "tuned": 0.475, "difference": change}
    part = score | {"prompts": 60, "difference": {"mean": -0.05, "low": -0.08, "high": -0.01}}
    scores = {"all": score, "en": part, "zh": part | {"difference": {"mean": 0.0, "low": -0.1, "high": 0.1}}}
    (run / "general.json").write_text(json.dumps({"scores": scores}))
    said = eval_command("judge", "--run", run).output
    assert "base 50.0%, tuned 47.5%; difference in points -2.5 [-6.0, +1.0]." in said
    assert "perhaps lost general ability (all): points -2.5" in said
    assert "surely lost general ability (English)" in said
    assert "(Chinese): points" not in said
    assert metrics(run)["general"]["scores"]["en"]["prompts"] == 60


def test_lm_eval_missing_is_said_before_anything_is_asked(served_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match="lm-eval, which is not installed") as caught:
        eval_command("general", "--run", served_run, "--lm-eval", "ifeval")
    assert "pip install" in str(caught.value.hint)
    assert not Path("starts").exists()


@pytest.mark.slow
def test_lm_eval_is_asked_served_or_by_likelihood(served_run: Path) -> None:  # noqa: F811
    program = Path(sys.executable).with_name("lm_eval")
    program.write_text(LM_EVAL.format(python=sys.prefix + "/bin/python"))
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    said = eval_command("general", "--run", served_run, "--lm-eval", "ifeval mmlu ceval").output
    calls = Path("lm_eval_calls").read_text().splitlines()
    assert len(calls) == 4
    assert "--model local-chat-completions" in calls[0]
    assert "/v1/chat/completions" in calls[0]
    assert "--tasks ifeval mmlu_generative" in calls[0]
    assert "--model hf --model_args pretrained=org/base,trust_remote_code=False --tasks ceval-valid" in calls[1]
    assert "lm-eval ifeval: base 50.0% (SE 2.0%), tuned 50.0% (SE 2.0%)" in said
    assert set(json.loads((served_run / "general.json").read_text())["lm_eval"]["tuned"]) == {
        "ifeval", "mmlu_generative", "ceval-valid",
    }  # fmt: skip
