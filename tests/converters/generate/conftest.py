"""A converted task, a real local endpoint, and a model that writes tasks as it is told to."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from converters.__main__ import cli
from tests.checkout import ROOT
from tests.endpoint import Endpoint

TERMS = """
kidney liver artery nerve tremor fever vaccine insulin thyroid asthma eczema migraine anaemia biopsy suture
dialysis cornea spleen tendon bronchitis sepsis lupus gout scurvy measles rabies malaria cholera hernia
glaucoma cataract psoriasis arthritis epilepsy stroke angina pacemaker stent allergy antibody enzyme hormone
vitamin protein lesion ulcer polyp tumour catheter syringe dosage symptom recovery surgery clinic ward nursing
therapy nutrition hydration posture sleep exercise
"""
WORDS = TERMS.split()
HAN = (
    "肾肝动脉神经震颤发热疫苗胰岛素甲状腺哮喘湿疹偏头痛贫血活检缝合透析角膜脾肌腱支气管炎败血症狼疮痛风麻"
    "疹狂犬病疟疾霍乱疝青光眼白内障银屑病关节癫痫中风心绞起搏支架过敏抗体酶激素维生素蛋白质溃疡息肉肿瘤导"
    "管剂量症状恢复手术护理营养睡眠锻炼"
)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """medical_en, converted once from the rows that come with the project."""
    folder = tmp_path_factory.mktemp("converted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        source = str(ROOT / "converters" / "examples" / "medical_en")
        cli.main(["convert", "--task", "medical_en", "--source", source], standalone_mode=False)
    return folder


@pytest.fixture(autouse=True)
def medical(converted: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The converted task in this test's own folder, with no key and no endpoint in the environment."""
    shutil.copytree(converted, workplace, dirs_exist_ok=True)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "GENERATOR_MODEL"):
        monkeypatch.delenv(name, raising=False)
    return workplace / "data" / "medical_en"


@pytest.fixture
def run(endpoint: Endpoint) -> Callable[..., None]:
    """Run a command of the converters on the endpoint, in this process."""

    def command(name: str, *arguments: str, task: str = "medical_en") -> None:
        generator = ["--generator", f"fake@{endpoint.url}"]
        cli.main([name, "--task", task, *generator, *arguments], standalone_mode=False)

    return command


def task_of(draw: random.Random, chinese: bool = False) -> dict[str, str]:
    """One plausible task."""
    if chinese:
        asked = "".join(draw.sample(HAN, 14))
        return {"instruction": f"请说明{asked}？", "input": "noinput", "output": "".join(draw.sample(HAN, 30)) + "。"}
    words = draw.sample(WORDS, 9)
    return {
        "instruction": f"{' '.join(words).capitalize()}?",
        "input": draw.choice(["noinput", f"The patient has {draw.choice(WORDS)} and is {draw.randint(2, 90)}."]),
        "output": f"It is the {draw.choice(WORDS)} that should be looked at, and then the {draw.choice(WORDS)} of it.",
    }


def writes(count: int = 20, chinese: bool = False) -> Callable[[dict[str, Any], int], str]:
    """A model that answers each request with tasks of its own; the same request gets the same tasks."""

    def behaviour(body: dict[str, Any], number: int) -> str:
        draw = random.Random(json.dumps(body["messages"]))
        return json.dumps({"tasks": [task_of(draw, chinese) for _ in range(count)]}, ensure_ascii=False)

    return behaviour


def improves(body: dict[str, Any], number: int) -> str:
    """A model that makes an answer better: all of it, and a sentence more."""
    answer = str(body["messages"][0]["content"]).split("<answer>\n")[1].split("\n</answer>")[0]
    return f"{answer}\n\n{MORE}"


MORE = "That is what the guidelines of today say about it, in words that anyone can follow."
