"""The Colab notebook, cell by cell in a real kernel: on a fresh machine, and again on another after a disconnect.

Only the form's values are the test's own: a small model, bundled rows, two steps, no key. The clone is one of this
checkout, and what Colab brings along (torch and all else) is this environment, seen through PYTHONPATH.
"""

import inspect
import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from common.files import read_json, sha256
from common.paths import folder_name
from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone
from recipes.estimate.duration import in_words
from recipes.rehearsal.twins import make_twin
from tests.checkout import ROOT, UNMEASURED, Checkout
from tests.recipes.samples import recipe

NOTEBOOK = ROOT / "docs" / "colab.ipynb"
KAGGLE = ROOT / "docs" / "kaggle.ipynb"
ROWS = ROOT / "converters/examples/medical_en"


def book() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def text_of(cell: Any) -> str:
    return "".join(re.sub(r"\x1b\[[0-9;]*m", "", output.get("text", "")) for output in cell.get("outputs", [])).replace(
        "\r", "\n"
    )


def test_it_is_stored_without_outputs_and_whole() -> None:
    stored = book()
    nbformat.validate(stored)
    for cell in stored.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_kaggles_differs_in_its_first_words_and_where_things_are_kept_alone() -> None:
    other = nbformat.read(KAGGLE, as_version=4)
    nbformat.validate(other)
    differing = [cell.id for cell, twin in zip(book().cells, other.cells, strict=True) if cell != twin]
    assert differing == [book().cells[0].id, "settings"]
    lines = [cell.source.splitlines() for cell in (*book().cells, *other.cells) if cell.id == "settings"]
    changed = [line for line, twin in zip(*lines, strict=True) if line != twin]
    assert [line.split()[0] for line in changed] == ["#", "KEEP"]


def test_its_defaults_are_the_assignments_own_example() -> None:
    settings = next(cell for cell in book().cells if "parameters" in cell.metadata.get("tags", [])).source
    values: dict[str, Any] = {}
    exec(settings, values)
    assert (values["TASK"], values["MODEL"], values["METHOD"]) == ("medical_zh", "phoenix-7b", "qlora")
    for names in re.findall(r"#@param (\[.*?\])", settings):
        for name in json.loads(names):
            if re.search(r"\d[bm]$", name):
                find_backbone(name)


def test_what_it_says_to_expect_is_what_the_plan_says() -> None:
    head = book().cells[0].source
    rows = DataFacts(1762, "zh", 376.1, 789)  # look-alikes of medical_zh, LIMIT=2000
    made = recipe("phoenix-7b", "qlora", "t4", task="medical_zh", data=rows)
    needed, seconds = made.memory, made.seconds
    assert needed is not None
    assert needed.verdict(made.hardware.memory_gb) == "fits"
    assert f"{needed.total:.1f} GiB, {needed.low:.1f} to {needed.high:.1f}, of {made.hardware.memory_gb}" in head
    assert f"about {in_words(seconds)} ({in_words(seconds / 2)} to {in_words(seconds * 2)})" in head


def colab() -> dict[str, str]:
    """Return the environment of a kernel that finds this environment's packages as Colab's own, and no index."""
    left_out = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MAKEFLAGS", "MAKELEVEL", "TORCH")
    return {name: value for name, value in os.environ.items() if name not in left_out} | {
        "PYTHONPATH": f"{sysconfig.get_path('purelib')}{os.pathsep}{UNMEASURED}",
        "PYTHON": f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}",
        "PIP_NO_INDEX": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }


def put_programs() -> None:
    """Make .venv with the programs that pip installs beside a package, which is here already."""
    subprocess.run([os.environ["PYTHON"], "-m", "venv", "--system-site-packages", "--without-pip", ".venv"], check=True)
    for program, module in (("llamafactory-cli", "llamafactory.cli"), ("torchrun", "torch.distributed.run")):
        path = Path(".venv/bin", program).absolute()
        path.write_text(f"#!{path.with_name('python')}\nimport sys\nfrom {module} import main\nsys.exit(main())\n")
        path.chmod(0o755)


def execute(folder: Path, left_out: tuple[str, ...] = (), **form: Any) -> dict[str, str]:
    """Run every code cell but those left out, in an empty folder with these form values; return what each printed."""
    folder.mkdir()
    stored = book()
    stored.cells = [cell for cell in stored.cells if cell.id not in left_out]
    values = "\n".join(f"{name} = {value!r}" for name, value in form.items())
    program = "import os\nimport subprocess\nfrom pathlib import Path\n" + inspect.getsource(put_programs)
    ours = {"settings": values, "get": f"{program}\nput_programs()"}
    for name, source in ours.items():
        place = next(i for i, cell in enumerate(stored.cells) if cell.id == name)
        stored.cells.insert(place + 1, nbformat.v4.new_code_cell(source, id=f"after-{name}"))
    environment = {**colab(), "IPYTHONDIR": str(folder / ".ipython")}
    client = NotebookClient(stored, timeout=900, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    return {cell.id: text_of(cell) for cell in stored.cells if cell.cell_type == "code"}


@pytest.mark.slow
def test_from_nothing_to_the_report_on_after_a_disconnect_and_again_as_the_report_says(tmp_path: Path) -> None:
    """On a CPU: most of it is torch's start, once for each step and each served model.

    What the report prints under "to reproduce" is typed in a fresh clone and gives the same run.
    The first cell prints its commands alone (make -n): what they do is done by the cells below, on a model as small.
    """
    questions, twin = tmp_path / "my questions.jsonl", make_twin(find_backbone("qwen3-0.6b"), tmp_path / "twin")
    asked = [{"question": f"What is {name}?", "reference": f"{name} is a disease."} for name in ("gout", "rickets")]
    questions.write_text("".join(json.dumps(row) + "\n" for row in asked))
    form = {
        "REPOSITORY": f"file://{ROOT}", "TASK": "medical_en", "MODEL": str(twin), "METHOD": "lora", "LIMIT": 60,
        "SOURCE": str(ROWS), "SET": "max_steps=2 eval_strategy=no", "QUESTIONS": str(questions), "MAX_TOKENS": 8,
        "KEEP": str(tmp_path / "drive"), "ASK_THE_MODELS": "What is gout?",
        "FIRST": f"-n MODEL={twin} SOURCE={ROWS} LIMIT=40",
    }  # fmt: skip
    place = Path("runs/medical_en", folder_name(str(twin)), "lora")
    printed = execute(tmp_path / "first", **form)
    for cell, words in {
        "setup": "ready",
        "keys": "no key: the offline stand-in judges",
        "first": "-m recipes run --task",
        "convert": "medical_en: 60 rows",
        "plan": "[8/8]",
        "train": f"trained: {place}/adapter",
        "heldout": "held-out loss on",
        "export": "exported: runs/",
        "answer": "tuned.jsonl: 2 answers",
        "judge": "tuned vs base",
        "talk": "What is gout?",
        "report": "runs/reports/report/report.html",
        "download": "result.zip",
    }.items():
        assert words in printed[cell], (cell, printed[cell][-2000:])
    run = tmp_path / "drive" / place
    assert read_json(run / "manifest.json")["status"] == "exported"
    assert (run / "metrics.json").is_file()
    taken = {path.name for path in (tmp_path / "first/whetstone/result").rglob("*")}
    assert {"manifest.json", "heldout.json", "metrics.json", "tuned.jsonl", "report.html", "overleaf.zip"} <= taken
    assert not any(name.endswith((".safetensors", ".pt")) for name in taken)

    weights = {path: path.stat().st_mtime_ns for path in run.rglob("*.safetensors")}
    served = {path: path.stat().st_mtime_ns for path in (run / "logs").glob("serve-*.log")}
    again = execute(tmp_path / "second", ("talk", "report", "download"), **form)
    for cell, words in {
        "first": "there is a judged result already",
        "train": "trained already",
        "heldout": "measured already",
        "export": "exported already",
    }.items():
        assert words in again[cell], (cell, again[cell][-2000:])
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.safetensors")} == weights
    assert {path: path.stat().st_mtime_ns for path in (run / "logs").glob("serve-*.log")} == served, "served again"

    text = (tmp_path / "drive/runs/reports/report/report.md").read_text(encoding="utf-8")
    assert f"{read_json(run / 'heldout.json')['tuned']['loss']:.3f}" in text
    (tmp_path / "third").mkdir()
    third = Checkout(tmp_path / "third")
    for line in re.findall(r"``` bash\n(.*?)\n```", text, re.DOTALL)[0].splitlines():
        third(line)
    same = third.folder / place
    one, other = (read_json(folder / "manifest.json") for folder in (run, same))
    assert one["identity"] == other["identity"]
    assert one["data"]["files"] == other["data"]["files"]
    names = ["questions.jsonl", "answers/base.jsonl", "answers/tuned.jsonl", "adapter/adapter_model.safetensors"]
    assert [sha256(run / name) for name in names] == [sha256(same / name) for name in names]
