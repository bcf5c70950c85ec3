"""The phases of a training, told from the lines that LLaMA-Factory and the trainer really log."""

import json
from pathlib import Path

import pytest

from recipes.llamafactory import training_log
from recipes.llamafactory.training_log import TrainingProgress

LOADING = (
    "[WARNING|logging.py:333] 2026-11-26 08:57:22,055 >> `torch_dtype` is deprecated! Use `dtype` instead!\n"
    "\rRunning tokenizer on dataset:  49%|████▉     | 80/164 [00:00<00:00, 243.74 examples/s]\r"
)
BEGINS = "\n[INFO|trainer.py:1467] >> ***** Running training *****\n\r  0%|          | 0/30 [00:00<?, ?it/s]\n"
EVALUATES = (
    "\n[INFO|trainer.py:4643] >> ***** Running Evaluation *****\n\r 33%|███▎      | 2/6 [00:10<00:21,  5.3s/it]\n"
)
SAVES = "\n[INFO|trainer.py:4309] >> Saving model checkpoint to runs/x/adapter/checkpoint-10\n"


RESUMES = "[INFO|trainer.py:2000] >>   Resuming training from checkpoint with epoch 0 and global step 5\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("common.progress.EVERY_LOG", 0.0)
    (tmp_path / "logs").mkdir()
    (tmp_path / "adapter").mkdir()
    return tmp_path


def words(run: Path, text: str) -> None:
    with (run / "logs" / "train.log").open("a", encoding="utf-8") as file:
        file.write(text)


def step(run: Path, number: int, **facts: float) -> None:
    with (run / "adapter" / "trainer_log.jsonl").open("a") as file:
        file.write(json.dumps({"current_steps": number, "total_steps": 30, **facts}) + "\n")


def shown(progress: TrainingProgress, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    progress.update()
    return capsys.readouterr().err.splitlines()[-1]


def test_each_phase_has_its_name_and_no_warning_comes_between(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words(run, "***** Running Evaluation *****\n")  # of an earlier try
    step(run, 5, loss=9.0)
    with TrainingProgress(run) as progress:
        words(run, LOADING)
        assert shown(progress, capsys) == "loading rows and model, 0 s, running tokenizer on dataset 80/164"
        words(run, "Failed to load CPU gemm_4bit_forward from kernels-community\n")
        assert "gemm" not in shown(progress, capsys)
        words(run, BEGINS)
        assert shown(progress, capsys) == "training, 0 s"
        step(run, 6, loss=2.5)
        step(run, 10, loss=2.25)
        assert shown(progress, capsys) == "training: 10/30, 0 s, loss 2.250"
        words(run, EVALUATES)
        assert shown(progress, capsys) == "evaluating: 2/6, 0 s, after step 10 of 30"
        step(run, 10, eval_loss=2.1)
        words(run, SAVES)
        assert shown(progress, capsys) == "saving, 0 s"
        words(run, "\r 37%|███▋      | 11/30 [00:50<01:30,  4.7s/it]\r")
        assert shown(progress, capsys) == "training: 10/30, 0 s, loss 2.250"
        words(run, "\r 100%|██████████| 30/30 [01:50<00:00,  4.7s/it]\r" + EVALUATES)
        step(run, 30, loss=2.0)
        assert shown(progress, capsys) == "evaluating: 2/6, 0 s, after step 30 of 30"


def test_the_time_left_counts_the_first_step_and_no_evaluation(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("common.progress.time.monotonic", lambda: clock[0])
    with TrainingProgress(run) as progress:
        clock[0] = 20
        words(run, BEGINS + RESUMES)
        shown(progress, capsys)
        clock[0] = 80
        step(run, 10)
        assert shown(progress, capsys) == "training: 10/30, 1 min 0 s, about 4 min 0 s left"
        words(run, EVALUATES)
        shown(progress, capsys)
        clock[0] = 500
        words(run, "\r 37%|███▋      | 11/30 [00:50<01:30,  4.7s/it]\r")
        assert shown(progress, capsys) == "training: 10/30, 0 s"
        clock[0] = 512
        step(run, 12)
        assert shown(progress, capsys) == "training: 12/30, 12 s, about 1 min 48 s left"


def test_a_line_that_is_still_being_written_waits(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = TrainingProgress(run)
    words(run, "***** Running trai")
    assert shown(progress, capsys) == "loading rows and model, 0 s"
    words(run, "ning *****\n")
    assert shown(progress, capsys) == "training, 0 s"


@pytest.mark.slow
def test_the_marks_are_what_the_trainer_logs() -> None:
    import transformers

    source = (Path(transformers.__file__).parent / "trainer.py").read_text(encoding="utf-8")
    assert next(iter(training_log.MARKS)) in source
    assert "***** Running {description} *****" in source
    assert 'description="Evaluation"' in source
    assert "Resuming training from checkpoint with epoch {epochs_trained} and global step {" in source
    assert list(training_log.MARKS)[2] in source
