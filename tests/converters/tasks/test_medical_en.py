"""The bundled demo rows through the whole converter: what the main job stands on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from converters.convert import convert
from converters.registry import load_task
from converters.task import Skip
from converters.tasks.medical_en import answer, question
from converters.text.cleaning import cleaner
from tests.checkout import ROOT

EXAMPLES = str(ROOT / "converters/examples/medical_en")


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("What is (are) Rotor syndrome ?", "What is Rotor syndrome?"),
        ("Who is at risk for Choriomeningitis (LCM)? ?", "Who is at risk for Choriomeningitis (LCM)?"),
        ("Do you have information about Iron", "Do you have information about Iron?"),
        ("What are the symptoms of acidemia , type cblJ ?", "What are the symptoms of acidemia, type cblJ?"),
        ("what research (or clinical trials) is being done for Gout ?", "What research is being done on Gout?"),
        ("What is (are) What I need to know about Gas ?", "What should I know about Gas?"),
        ("What causes Causes of Diabetes ?", "What causes Diabetes?"),
        ("How to diagnose Gout ?", "How is Gout diagnosed?"),
        ("How to prevent Mnire's disease ?", "How can Ménière's disease be prevented?"),
        ("how is hps diagnosed ?", "How is HPS diagnosed?"),
        ("how is hps diagnosed for Hantavirus ?", ""),
        ("What is (are)  ?", ""),
        ("Who is at risk for ? ?", ""),
        (" ? ", ""),
    ],
)  # fmt: skip
def test_questions_of_templates_read_like_a_person_wrote_them(raw, wanted):
    assert question(raw) == wanted


def test_the_template_is_kept_on_request():
    assert question("What is (are) Gout ?", templates=True) == "What is (are) Gout?"


def test_scraped_bullets_get_lines_of_their_own():
    raw = "Key Points                - Signs include pain.      They include    - Fever    - Rash     See a doctor ."
    assert answer(raw) == "Signs include pain.\nThey include\n- Fever\n- Rash\nSee a doctor."


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("How might gout be treated? Rest helps.", "Rest helps."),
        ("How might gout be treated? No specific therapy is known.", "No specific therapy is known."),
        ("Can gout be treated? Rest helps.", "Rest helps."),
        ("Is a test available for gout? No. There is none.", "Is a test available for gout? No. There is none."),
        ("What is known is little. Is it inherited? No.", "What is known is little. Is it inherited? No."),
        ("How do your kidneys work? They filter blood.", "How do your kidneys work? They filter blood."),
        ("Is genetic testing available for gout?", ""),
    ],
)  # fmt: skip
def test_a_question_that_the_answer_repeats_goes(raw, wanted):
    asked = "What are the treatments for Gout?"
    assert answer(raw, asked=asked) == wanted
    assert answer(raw, templates=True, asked=asked) == raw


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("Summary : Rest helps.    NIH: National Institute of Gout", "Rest helps."),
        ("Rest helps.\n    Centers for Gout Control and Prevention", "Rest helps."),
        ("Espaol\n                \nRest helps.", "Rest helps."),
        ("Key Points\n                    - Rest helps.     - Ice helps:        - on toes\n                \n     Rest "
         "helps.\n       It does.", "Rest helps.\n\nIt does."),
        ("Rest helps. (Watch the video to learn more. To enlarge the video, click the brackets (right). To reduce it, "
         "press the Escape (Esc) button on your keyboard.) Ice helps.", "Rest helps. Ice helps."),
        ("Rest helps. For more, click here. Ice helps. See www.gout.org/a.htm, too.", "Rest helps. Ice helps."),
        ("Most are aged 45 to 65.2 Men are hit most.1 Some are 70.1",
         "Most are aged 45 to 65. Men are hit most. Some are 70."),
        ("It is 98.6 F, or 1.2 Mb.", "It is 98.6 F, or 1.2 Mb."),
        ("They include - rest   - ice   - diet", "They include\n- rest\n- ice\n- diet"),
        ("Do this. - Rest. - Take ice.", "Do this.\n- Rest.\n- Take ice."),
        ("You dont haveatrial fibrillation. Womens hearts cant wait.",
         "You don't have atrial fibrillation. Women's hearts can't wait."),
    ],
)  # fmt: skip
def test_what_belongs_to_the_page_goes(raw, wanted):
    assert cleaner(True, True)(answer(raw)) == wanted


HPO = (
    "What are the signs and symptoms of Gout? The Human Phenotype Ontology provides the following list of signs and "
    "symptoms for Gout. If the information is available, the table below includes how often. Signs and Symptoms "
    "Approximate number of patients (when available) {} The Human Phenotype Ontology (HPO) has collected information."
)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (HPO.format("Gout - Autosomal dominant inheritance -"), "a list of signs that names none"),
        ("On this Page General Information What is gout? How is it treated?", "a page's table of contents"),
        ("Gout Clinic, 10 Center Drive, Bethesda, MD 20892-1190", "addresses"),
        ("Treatments may include the following:", "its list is lost"),
        ("These resources address gout: - a page", "a list of links without the links"),
    ],
)
def test_what_answers_nothing_is_dropped_by_name(reply, why):
    task = load_task("medical_en")
    row = {"qtype": "symptoms", "Question": "What are the symptoms of Gout ?", "Answer": reply}
    with pytest.raises(Skip, match=why):
        task.convert(row, "", task.options)


def test_tables_of_signs_become_lists():
    raw = (
        "What are the signs and symptoms of Gout? The Human Phenotype Ontology provides the following list of"
        " signs and symptoms for Gout. If the information is available, the table below includes how often "
        "the symptom is seen in people with this condition. You can use the MedlinePlus Medical Dictionary to"
        " look up the definitions for these medical terms. Signs and Symptoms Approximate number of patients "
        "(when available) Low-set ears 7.5% X-linked inheritance - Pain 3/20 Macrocephaly 3 of 4 "
        "The Human Phenotype Ontology "
        "(HPO) has collected information on how often a sign or symptom occurs in a condition. In these "
        "cases, the sign or symptom may be rare or common."
    )
    assert answer(raw) == (
        "The Human Phenotype Ontology provides the following list of signs and symptoms for Gout.\n"
        "- Low-set ears: 7.5%\n- Pain: 3/20\n- Macrocephaly: 3 of 4"
    )


def test_the_bundled_rows_become_splits_with_a_card(read_rows):
    card = convert(load_task("medical_en"), EXAMPLES)
    assert card["rows"] == 216
    assert sum(file["rows"] for file in card["files"].values()) == 216
    assert 15 <= card["files"]["test"]["rows"] <= 30
    assert 8 <= card["files"]["val"]["rows"] <= 20
    rows = {split: read_rows(f"data/medical_en/{split}.jsonl") for split in ("train", "val", "test")}
    assert {name: len(found) for name, found in rows.items()} == {
        name: card["files"][name]["rows"] for name in ("train", "val", "test")
    }
    asked = {name: {row["instruction"].lower() for row in found} for name, found in rows.items()}
    assert not asked["train"] & asked["test"]
    assert not asked["train"] & asked["val"]
    assert not any(" ?" in row["instruction"] for found in rows.values() for row in found)
    steps = {step["step"]: step["dropped"] for step in card["steps"]}
    assert steps["duplicate"] == 2
    assert steps["boilerplate"] == 2
    rejected = read_rows("data/medical_en/rejected.jsonl")
    assert len(rejected) == sum(steps.values())
    assert all(set(row) - {"id", "as"} == {"step", "reason", "file", "number", "row"} for row in rejected)
    assert all(set(row["row"]) == {"qtype", "Question", "Answer"} for row in rejected)


def test_a_second_run_changes_nothing_and_says_so(capsys):
    convert(load_task("medical_en"), EXAMPLES)
    before = {path: path.stat().st_mtime_ns for path in Path("data/medical_en").glob("*.json*")}
    capsys.readouterr()
    convert(load_task("medical_en"), EXAMPLES)
    assert "up to date" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in Path("data/medical_en").glob("*.json*")} == before


def test_other_settings_convert_anew_and_say_what_changed(capsys):
    convert(load_task("medical_en"), EXAMPLES)
    card = convert(load_task("medical_en"), EXAMPLES, given={"max_output": 300})
    assert "max_output was 8000, is 300" in capsys.readouterr().out
    assert card["files"]["train"]["rows"] < 100


def test_a_lost_file_is_made_again():
    convert(load_task("medical_en"), EXAMPLES)
    Path("data/medical_en/val.jsonl").unlink()
    convert(load_task("medical_en"), EXAMPLES)
    assert Path("data/medical_en/val.jsonl").is_file()


@pytest.mark.slow
def test_the_command_a_user_types(tmp_path):
    command = [sys.executable, "-m", "converters", "convert", "--task", "medical_en", "--source", EXAMPLES]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert "medical_en: 216 rows from" in done.stdout
    info = json.loads(Path("dataset_info.json").read_text())
    assert info["medical_en"]["file_name"] == "data/medical_en/train.jsonl"
    assert (
        json.loads(Path("data/dataset_info.json").read_text())["medical_en_val"]["file_name"] == "medical_en/val.jsonl"
    )


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ("Rest helps. Learn more about gout. Visit your doctor.", "Rest helps. Visit your doctor."),
        ("Rest helps.[12] For more information, see:\n- Gout\n- Rest\nDrink water.", "Rest helps.\nDrink water."),
        ("It raises a persons risk, and the patients immune system fails.",
         "It raises a person's risk, and the patient's immune system fails."),
        ("Patients take it. The patients were ill.", "Patients take it. The patients were ill."),
        ("It is anemiaa condition of the blood.", "It is anemia, a condition of the blood."),
        ("Cant syndrome is rare. You cant see it.", "Cantú syndrome is rare. You can't see it."),
    ],
)  # fmt: skip
def test_pointers_go_and_what_was_lost_comes_back(raw, wanted):
    assert answer(raw) == wanted
