"""A mix is a task to everything downstream: recipes and eval find its rows without knowing what it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from eval.records import questions
from recipes.catalog.datasets import data_facts
from recipes.manifest import data_identity
from recipes.recipe import ensure_rows
from tests.converters.generate.conftest import ROOT, writes
from tests.endpoint import Endpoint


@pytest.mark.slow
def test_training_sees_the_mixed_rows(
    endpoint: Endpoint, run: Callable[..., None], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "20")
    ensure_rows("medical_en+self_instruct@0.05", "", None)
    facts = data_facts("medical_en+self_instruct@0.05")
    assert (facts.rows, facts.language) == (164 + 9, "en")
    before = data_identity("medical_en+self_instruct")["files"]["train"]["sha256"]
    run("self-instruct", "--n", "40", "--name", "self_instruct")
    ensure_rows("medical_en+self_instruct", "", None)
    assert data_facts("medical_en+self_instruct").rows == 164 + 40
    assert data_identity("medical_en+self_instruct")["files"]["train"]["sha256"] != before


@pytest.mark.slow
def test_training_on_a_part_that_is_not_there_says_how_to_make_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with pytest.raises(SystemExit):
        ensure_rows("medical_en+scored@4", "", None)
    assert "make score TASK=medical_en" in capfd.readouterr().err


def test_judging_asks_the_base_tasks_questions(endpoint: Endpoint, run: Callable[..., None]) -> None:
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "5")
    assert questions.bundled("medical_en+self_instruct@0.1") == questions.bundled("medical_en")
    mixed, base = (questions.test_split(name, 5) for name in ("medical_en+self_instruct", "medical_en"))
    assert [question.text for question in mixed] == [question.text for question in base]
