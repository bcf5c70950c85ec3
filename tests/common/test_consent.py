"""What is paid for, replaced or deleted is asked for in a terminal, and needs a word in a script."""

import sys
from typing import Any

import pytest

from common import consent
from common.errors import UserError
from common.subprocesses import STEP


def terminal(monkeypatch: pytest.MonkeyPatch, answer: bool) -> list[str]:
    """Make standard input a terminal where a person answers; return what they are asked."""
    asked: list[str] = []

    def confirm(question: str) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("common.consent.click.confirm", confirm)
    return asked


def test_a_terminal_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = terminal(monkeypatch, True)
    consent.ask("3 files will be replaced", "YES=1")
    assert asked == ["3 files will be replaced. Go on?"]
    terminal(monkeypatch, False)
    with pytest.raises(UserError, match="nothing was done"):
        consent.ask("3 files will be replaced", "YES=1")


@pytest.mark.parametrize("dollars", [0.0, 1.0, 1.01, 80.0])
@pytest.mark.parametrize("budget", [None, 2.0])
def test_a_script_needs_a_word_for_much_money(
    monkeypatch: pytest.MonkeyPatch, dollars: float, budget: float | None
) -> None:
    def pay() -> Any:
        return consent.to_pay(dollars, budget)

    monkeypatch.delenv(STEP, raising=False)
    monkeypatch.setattr(sys, "stdin", type("Pipe", (), {"isatty": lambda self: False})())
    if budget is None and dollars > 1:
        with pytest.raises(UserError, match=f"costs about .{dollars:.2f}") as refused:
            pay()
        assert refused.value.hint == f"BUDGET={2 if dollars < 2 else 120} allows it"
        monkeypatch.setenv(STEP, "1")  # the longer command said the price when it was started
    pay()


def test_a_yes_on_the_command_line_is_enough() -> None:
    consent.ask("3 files will be replaced", "YES=1", given=True)
