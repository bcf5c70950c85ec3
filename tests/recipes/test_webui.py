"""LLaMA-Factory's own web UI shows our rows, models and recipes, and trains from them, with nothing typed in."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from recipes.catalog.lookup import find_backbone
from recipes.llamafactory.board import saved_configuration
from recipes.rehearsal.twins import make_twin
from tests.checkout import ROOT, Checkout

SETTINGS = {
    "model_name_or_path": "models/x", "stage": "sft", "do_train": True, "finetuning_type": "lora", "lora_rank": 16,
    "dataset": "law_zh", "dataset_dir": ".", "learning_rate": 2e-4, "fp16": True, "quantization_bit": 4,
    "use_cpu": True, "output_dir": "runs/x", "eval_dataset": "law_zh_val",
}  # fmt: skip


def test_what_the_page_has_a_place_for_goes_there_and_the_rest_into_its_extra_arguments():
    page = saved_configuration(SETTINGS)
    assert page["train.dataset"] == ["law_zh"]
    assert page["train.lora_rank"] == 16
    assert page["train.learning_rate"] == "0.0002"
    assert int(page["train.max_samples"]) > 300_000, "the page would leave the rest of law_zh out"
    assert saved_configuration({**SETTINGS, "max_samples": 50})["train.max_samples"] == "50"
    assert page["train.compute_type"] == "fp16"
    assert page["top.quantization_bit"] == "4"
    extra = json.loads(page["train.extra_args"])
    assert extra == {
        "model_name_or_path": "models/x", "template": None, "use_cpu": True, "eval_dataset": "law_zh_val",
    }  # fmt: skip


@pytest.fixture
def checkout(tmp_path):
    """Return a checkout with converted rows, and a rendered recipe for a twin of four steps."""
    checkout = Checkout(tmp_path)
    make_twin(find_backbone("qwen3-0.6b"), tmp_path / "mine" / "twin")
    checkout(f"make convert TASK=medical_en SOURCE={ROOT}/converters/examples/medical_en")
    checkout("make recipe TASK=medical_en MODEL=mine/twin SET='max_steps=4 learning_rate=1e-3'")
    return checkout


@pytest.fixture
def page(checkout, browser):
    """Return the stock web UI, started at the checkout's root, in a browser."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tools = Path(sys.executable).parent
    environment = {
        **checkout.environment, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port),
    }  # fmt: skip
    with (checkout.folder / "webui.log").open("wb") as log:
        server = subprocess.Popen(
            [tools / "llamafactory-cli", "webui"], cwd=checkout.folder, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until_it_answers(server, f"http://127.0.0.1:{port}")
        opened = browser.new_page()
        opened.goto(f"http://127.0.0.1:{port}")
        yield opened
        opened.close()
    finally:
        os.killpg(server.pid, signal.SIGKILL)


def wait_until_it_answers(server, url, seconds=180):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, "the web UI ended"
        try:
            urlopen(url, timeout=5)
        except (URLError, OSError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError("the web UI did not answer")


@pytest.mark.slow
def test_a_recipe_is_loaded_from_the_menu_and_trains(page, checkout):
    page.set_default_timeout(60_000)
    path = page.get_by_label("Model path").first
    path.wait_for()
    page.wait_for_function("element => element.value === 'mine/twin'", arg=path.element_handle())

    page.get_by_label("Dataset", exact=True).first.click()
    page.get_by_role("option", name="medical_en", exact=True).wait_for()
    page.keyboard.press("Escape")

    page.get_by_label("Config path").first.click()
    page.get_by_role("option", name="medical_en--mine--twin--lora.yaml").click()
    page.get_by_role("button", name="Load arguments").click()
    rate = page.get_by_label("Learning rate").first
    page.wait_for_function("element => element.value === '0.001'", arg=rate.element_handle())

    page.get_by_role("button", name="Start").first.click()
    page.get_by_text("Finished.").first.wait_for(timeout=900_000)

    (trained,) = checkout.folder.glob("saves/Custom/lora/train_*")
    assert (trained / "adapter_model.safetensors").is_file()
    arguments = yaml.safe_load((trained / "training_args.yaml").read_text())
    assert arguments["max_steps"] == 4
    assert arguments["dataset"] == "medical_en"
    assert json.loads((trained / "all_results.json").read_text())["train_loss"] > 0
