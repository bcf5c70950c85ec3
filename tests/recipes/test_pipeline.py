"""The whole way: what is typed after it."""

import pytest

from recipes.pipeline import next_steps

WORDS = "TASK=medical_en MODEL=smollm2-135m"


@pytest.mark.parametrize("judge", ["auto", "reference", "gpt-6-luna reference"])
def test_a_real_judge_is_one_line_away_where_the_stand_in_judged(judge: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert next_steps(WORDS, judge, 20) == [
        "next:",
        f"  talk to both models           make chat {WORDS}",
        f"  the experiment's report       make report {WORDS}",
        f"  ChatGPT as judge, about $0.01 OPENAI_API_KEY=... make judge {WORDS}",
        f"  Ollama as judge, free         make judge {WORDS} JUDGE=qwen3:8b@http://127.0.0.1:11434/v1",
        f"  vLLM as judge, free           make judge {WORDS} JUDGE=Qwen/Qwen3-8B@http://127.0.0.1:8000/v1",
    ]


def test_a_model_that_judged_is_not_proposed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert len(next_steps(WORDS, "auto", 20)) == 3
    assert len(next_steps(WORDS, "gpt-6-luna", 20)) == 3
