"""Talking to two models side by side (a real run does so in tests/test_end_to_end.py)."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from common.errors import UserError
from common.files import read_jsonl, write_json, write_text
from eval.__main__ import main
from eval.answering.chat import config_of
from tests.endpoint import Endpoint
from tests.eval.commands.test_judge import eval_command


def chat(run: Path, typed: str, *who: str) -> Result:
    words = ["chat", "--run", str(run), *(word for name in who for word in ("--who", name))]
    return CliRunner().invoke(main, words, input=typed, catch_exceptions=False)


@pytest.mark.slow
def test_both_are_asked_the_same_and_marked_pairs_are_votes(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, _: f"{body['model']} says {len(body['messages'])}"
    write_json(run / "manifest.json", {"task": "medical_en", "data": {"system": "Be brief."}})
    names = [f"org/{name}@{endpoint.url}" for name in ("one", "two")]
    said = chat(run, "What is gout?\n1\nAnd rickets?\n=\n/new\nWhat is mumps?\n", *names).output
    assert "org/one says 2" in said
    assert "org/two says 4" in said
    assert said.index("org/one says 4") < said.rindex("org/one says 2")
    assert endpoint.calls[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    questions = {row["id"]: row["question"] for row in read_jsonl(run / "chat/questions.jsonl")}
    assert questions == {"chat-001": "What is gout?", "chat-002": "What is gout?\n\nAnd rickets?"}
    votes = [(row["id"], row["winner"]) for row in read_jsonl(run / "chat/judgments/human-chat.jsonl")]
    assert votes == [("chat-001", "org--one"), ("chat-002", "tie")]
    shown = eval_command("result", "--run", run / "chat").output
    assert "human-chat" in shown
    assert "1/1/0" in shown


def test_a_word_with_a_slash_is_no_question(run: Path, endpoint: Endpoint) -> None:
    said = chat(run, "/help\n/quit\nWhat is gout?\n", f"one@{endpoint.url}", f"two@{endpoint.url}").output
    assert said.count("/new starts over") == 2
    assert endpoint.calls == []


def test_nothing_is_marked_before_it_is_asked(run: Path, endpoint: Endpoint) -> None:
    said = chat(run, "1\n", f"one@{endpoint.url}", f"two@{endpoint.url}").output
    assert "nothing to mark yet" in said
    assert not (run / "chat").exists()


@pytest.mark.parametrize("who", [("base", "base"), ("base", "tuned", "x")])
def test_two_different_models_at_most(run: Path, who: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="one or two different models"):
        chat(run, "", *who)


def configs(run: Path) -> None:
    base = {"model_name_or_path": "models/m", "template": "chatml", "infer_backend": "huggingface"}
    tuned = {**base, "model_name_or_path": f"{run}/export"}
    export = {"model_name_or_path": "models/m", "template": "chatml", "adapter_name_or_path": f"{run}/adapter"}
    for name, settings in (("serve/base", base), ("serve/tuned", tuned), ("export", {**export, "export_size": 5})):
        write_text(run / f"{name}.yaml", yaml.safe_dump(settings))


def test_without_a_merged_model_the_adapter_is_served() -> None:
    run = Path("runs/medical_en/m/lora")
    configs(run)
    with pytest.raises(UserError, match="has not been trained yet"):
        config_of(run, "tuned")
    (run / "adapter").mkdir()  # as an interrupted training leaves it
    with pytest.raises(UserError, match="has not been trained yet"):
        config_of(run, "tuned")
    write_json(run / "manifest.json", {"steps": {"train": {"seconds": 1.0}}})
    settings: dict[str, Any] = yaml.safe_load(config_of(run, "tuned").read_text())
    assert settings["adapter_name_or_path"] == f"{run}/adapter"
    assert settings["infer_backend"] == "huggingface"
    assert "export_size" not in settings
    (run / "export").mkdir()
    assert config_of(run, "tuned") == run / "serve/tuned.yaml"
