"""What users get wrong is said in one message that names the way out, before anything costs time."""

import shutil

import pytest

from tests.checkout import ROOT, Checkout

ROWS = ROOT / "converters/examples/medical_en/medDataset_processed.csv"


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train --model smollm2-135m", ["no TASK was named", "TASK=medical_en"]),
        ("train --task medcal_en --model smollm2-135m", ["unknown TASK: 'medcal_en'", "did you mean medical_en?"]),
        ("train --task medical_en", ["no MODEL was named"]),
        ("train --task medical_en --model smollm2-135", ["unknown MODEL", "did you mean smollm2-135m?"]),
        ("train --task medical_en --model ./no/such/folder", ["there is no model folder ./no/such/folder"]),
        ("train --task medical_en --model smollm2-135m --method loar", ["unknown METHOD", "did you mean lora?"]),
        ("train --task medical_en --model smollm2-135m --hardware t44", ["unknown HARDWARE", "did you mean t4?"]),
        (
            "train --task medical_en --model smollm2-135m --set 'lora_rnk=8 seed=x learning_rate=1e-4'",
            ["unknown key 'lora_rnk'; did you mean lora_rank?", "seed must be a whole number, got 'x'"],
        ),
        ("train --task medical_en --model smollm2-135m --set learning_rate", ["'learning_rate'", 'SET="key=value']),
        (
            "train --task medical_en --model smollm2-135m --source no/such.csv",
            ["no/such.csv", "does not exist"],
        ),
        ("export --task medical_en --model smollm2-135m", ["medical_en", "make"]),
        ("heldout --task medical_en --model smollm2-135m", ["has not been trained yet", "make train TASK=medical_en"]),
    ],
)
def test_recipes(checkout, command, words):
    said = checkout.fails(f"python -m recipes {command}")
    assert "next:" in said
    for word in words:
        assert word in said


def test_a_model_folder_that_is_none_is_named_by_what_it_lacks(checkout):
    (checkout.folder / "mine").mkdir()
    (checkout.folder / "mine" / "config.json").write_text("{}")
    said = checkout.fails("python -m recipes train --task medical_en --model ./mine")
    assert "has no tokenizer_config.json" in said


@pytest.mark.slow
def test_a_source_of_another_schema_is_refused_with_both_lists_of_columns(checkout):
    (checkout.folder / "mine.csv").write_text("frage,antwort\na,b\n")
    said = checkout.fails("python -m recipes train --task medical_en --model smollm2-135m --source mine.csv")
    for name in ("frage", "antwort", "Question", "Answer"):
        assert name in said


@pytest.mark.slow
def test_without_a_network_the_message_names_source(checkout):
    checkout.environment |= {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(checkout.folder / "hf")}
    said = checkout.fails("python -m recipes train --task medical_en --model smollm2-135m")
    assert "SOURCE=" in said


@pytest.mark.slow
def test_judging_a_run_that_is_not_there_names_the_command_that_makes_it(checkout):
    said = checkout.fails("python -m eval judge --task medical_en --model smollm2-135m")
    assert "there is no run in runs/medical_en/smollm2-135m/lora" in said
    assert "make train TASK=medical_en MODEL=smollm2-135m" in said


@pytest.mark.slow
def test_make_hands_every_word_on(checkout):
    said = checkout.run(
        "make train TASK=medical_en MODEL=smollm2-135m SET=\"lora_rank=8 lora_target='a b' x=1\""
    ).stderr
    assert "unknown key 'x'" in said
    shutil.copy(ROWS, checkout.folder)
    said = checkout("make convert TASK=medical_en SOURCE=medDataset_processed.csv LIMIT=50 FORMAT=sharegpt")
    assert "50 rows from medDataset_processed.csv" in said
    shown = checkout("make recipe TASK=medical_en MODEL=smollm2-135m METHOD=qlora HARDWARE=t4 VARIANT=x SET='seed=7'")
    for line in (
        "quantization_bit: 4",
        "fp16: true",
        "seed: 7",
        "output_dir: runs/medical_en/smollm2-135m/qlora-x/adapter",
    ):
        assert line in shown


def test_help_lists_every_target(checkout):
    listed = checkout("make help ALL=1")
    for target in ("setup", "demo", "convert", "train", "export", "answer", "judge", "test-fast"):
        assert f"make {target} " in listed


@pytest.mark.slow
def test_a_task_without_questions_is_told_before_anything_is_trained(checkout):
    (checkout.folder / "tasks").mkdir()
    (checkout.folder / "tasks/soups.yaml").write_text(
        'language: en\ndomain: cooking\nsource: soups.jsonl\ncolumns: {instruction: "{q}", output: a}\n'
    )
    said = checkout.fails("make run TASK=soups MODEL=smollm2-135m")
    assert "soups has no questions to be judged on" in said
    assert "QUESTIONS=my.jsonl" in said
    (checkout.folder / "s.yaml").write_text("task: soups\nmodel: smollm2-135m\ncompare: {lora_rank: [4, 8]}\n")
    assert "soups has no questions to be judged on" in checkout.fails("make sweep SWEEP=s.yaml DRY=1")
    assert not (checkout.folder / "runs").exists()
