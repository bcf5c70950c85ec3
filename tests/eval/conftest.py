import json
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in its own folder, with no key and no endpoint in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "JUDGE_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def run(workplace: Path) -> Path:
    """A run with six answered questions: tuned is near the reference, base is not, on two they are the same."""
    folder = workplace / "runs" / "medical_en" / "m" / "lora"
    (folder / "answers").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"task": "medical_en", "model": "m", "method": "lora"}))
    rows = [(f"q{n}", f"What is thing {n}?", f"Thing {n} is a device for measuring {n} litres.") for n in range(6)]
    with (folder / "questions.jsonl").open("w") as file:
        for id_, question, reference in rows:
            print(json.dumps({"id": id_, "question": question, "reference": reference}), file=file)
    for who in ("base", "tuned"):
        with (folder / "answers" / f"{who}.jsonl").open("w") as file:
            for number, (id_, question, reference) in enumerate(rows):
                text = reference if who == "tuned" or number >= 4 else "I do not know."
                row = {"id": id_, "who": who, "question": question, "answer": text, "model": f"models/{who}"}
                print(json.dumps(row), file=file)
    return folder
