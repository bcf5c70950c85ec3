"""A user's mistake ends in one message and an exit code, never in a traceback."""

import errno

import click
import pytest

from common.errors import UserError, nearest, run_cli, unknown


def failing(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("no such task", "make list"), 2, ["error: no such task", "next: make list"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (OSError(errno.EACCES, "Permission denied", "rows.csv"), 2, ["no permission", "rows.csv"]),
        (OSError(errno.EFBIG, "File too large"), 2, ["larger than is allowed", "while writing"]),
        (OSError(errno.ENOSPC, "No space left on device", "data/x.jsonl"), 2, ["no space left", "data/x.jsonl"]),
    ],
)
def test_messages_and_exit_codes(error, code, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        run_cli(failing(error))
    assert stopped.value.code == code
    shown = capsys.readouterr().err
    assert all(word in shown for word in words)
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["stop"], 130, "interrupted; the same command goes on from here"), (["stp"], 2, "No such command 'stp'")],
)
def test_a_click_command_ends_like_all_else(words, code, said, capsys, monkeypatch):
    @click.group()
    def group():
        pass

    @group.command()
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["program", *words])
    with pytest.raises(SystemExit) as stopped:
        run_cli(group)
    assert stopped.value.code == code
    assert said in capsys.readouterr().err


def test_a_fault_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_cli(failing(ZeroDivisionError()))


def test_the_nearest_name_is_offered():
    assert nearest("medcal_en", ["medical_en", "law_en"]) == "did you mean medical_en?"
    assert nearest("zzz", ["medical_en"]) == ""
    error = unknown("TASK", "medcal_en", ["medical_en", "law_en"], "python -m converters list")
    assert "medcal_en" in error.message
    assert "did you mean medical_en?" in error.hint
    assert "law_en" in error.hint
