"""What the entries say, held against the pinned LLaMA-Factory and transformers themselves."""

import re
from pathlib import Path
from typing import Any

import pytest

from recipes.catalog.catalog import backbones
from recipes.catalog.known_models import known_models
from recipes.llamafactory.models_table import read_installed

pytestmark = pytest.mark.slow

NAMES = sorted(backbones())
# It names templates by the ends of names (-Instruct, -Chat ...), which these have not; and one that wants a processor.
OTHERWISE = {
    "glm4.7-flash-30b": ("glm4_7", None),
    "phi4-mini-4b": ("phi4_mini", None),
    "mistral-small3-24b": ("ministral", "mistral_small"),
}
UNKNOWN_TO_LLAMAFACTORY = {"baichuan2-7b", "baichuan2-13b", "phoenix-7b"}


@pytest.fixture(scope="module")
def known() -> dict[str, tuple[str | None, str | None]]:
    """Return LLaMA-Factory's own table: hub id -> (ModelScope id, template)."""
    from llamafactory.extras.constants import DEFAULT_TEMPLATE, SUPPORTED_MODELS

    found: dict[str, tuple[str | None, str | None]] = {}
    for name, sources in SUPPORTED_MODELS.items():
        by_source: dict[str, Any] = {source.value: where for source, where in sources.items()}
        found[by_source.get("hf", "")] = (by_source.get("ms"), DEFAULT_TEMPLATE.get(name))
    return found


@pytest.mark.parametrize("name", [name for name in NAMES if name not in UNKNOWN_TO_LLAMAFACTORY])
def test_ids_and_template_are_those_of_llamafactory(name: str, known: dict[str, tuple[str | None, str | None]]) -> None:
    backbone = backbones()[name]
    modelscope, template = known[backbone.hub.removesuffix("-BF16")]
    assert (backbone.modelscope or "") == ("" if backbone.hub.endswith("-BF16") else modelscope or "")
    if name in OTHERWISE:
        assert (backbone.template, template) == OTHERWISE[name]
        return
    assert backbone.template == template
    if not backbone.hub.endswith("-BF16"):
        assert backbone.thinks == known_models()[backbone.hub.lower()].get("thinks", False)


def test_the_others_are_really_unknown_to_it(known: dict[str, tuple[str | None, str | None]]) -> None:
    assert not {backbones()[name].hub for name in UNKNOWN_TO_LLAMAFACTORY} & set(known)


@pytest.mark.parametrize("name", NAMES)
def test_its_template_is_one_of_llamafactorys(name: str) -> None:
    from llamafactory.data.template import TEMPLATES

    assert backbones()[name].template in {None, *TEMPLATES}


@pytest.mark.parametrize("name", NAMES)
def test_liger_takes_effect_where_it_says_so(name: str) -> None:
    from llamafactory.model.model_utils import liger_kernel

    source = Path(liger_kernel.__file__).read_text(encoding="utf-8")
    kinds = set(re.findall(r'"([a-z0-9_]+)"', "\n".join(re.findall(r"model_type (?:==|in) .*", source))))
    assert backbones()[name].liger == (backbones()[name].architecture in kinds)


@pytest.mark.parametrize("name", [name for name in NAMES if not backbones()[name].trust_remote_code])
def test_fused_attention_takes_effect_where_it_says_so(name: str) -> None:
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto

    backbone = backbones()[name]
    kind, sees = type(AutoConfig.for_model(backbone.architecture)), modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    model = sees[kind] if kind in sees else modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING[kind]
    capped = backbone.architecture == "gemma2"  # loads, but leaves out the capping of attention scores
    assert backbone.sdpa == (bool(model._supports_sdpa) and not capped)


def test_the_table_of_known_models_is_the_installed_ones() -> None:
    assert known_models() == read_installed(), "python -m recipes keys makes it anew"
