"""A model is measured alike by a process that sees several cards."""

import json
import sys

import pytest

from recipes.catalog.lookup import find_backbone
from recipes.rehearsal.twins import make_twin
from tests.checkout import ROOT, Checkout

# There are no two cards here; what LLaMA-Factory does with the variables and the device_map of two can be seen.
MEASURE = """import json, sys
from common.progress import Progress
from recipes import heldout
from recipes.llamafactory import loading
loading.cards = lambda: int(sys.argv[1])
arguments = json.load(open("arguments.json"))
losses = heldout.row_losses(arguments, Progress("", 0))
import torch
print(json.dumps([torch.distributed.is_initialized(), losses]))
"""


@pytest.mark.slow
def test_several_visible_cards_are_one_process_with_the_model_over_all_of_them(tmp_path):
    checkout = Checkout(tmp_path)
    make_twin(find_backbone("smollm2-135m"), tmp_path / "twin")
    checkout(
        f"python -m converters convert --task medical_en --source {ROOT}/converters/examples/medical_en --limit 60"
    )
    arguments = {
        "model_name_or_path": "twin", "template": "smollm2", "dataset_dir": ".", "eval_dataset": "medical_en_test",
        "cutoff_len": 128, "stage": "sft", "do_train": False, "do_eval": True, "output_dir": "out", "use_cpu": True,
        "report_to": "none",
    }  # fmt: skip
    (tmp_path / "arguments.json").write_text(json.dumps(arguments))
    (tmp_path / "measure.py").write_text(MEASURE)
    checkout.environment["PYTHONPATH"] = str(ROOT)
    found = [json.loads(checkout(f"{sys.executable} measure.py {cards}").splitlines()[-1]) for cards in (1, 2)]
    assert [started for started, _ in found] == [False, True]
    assert len(found[0][1]) > 2
    assert found[0][1] == found[1][1]
