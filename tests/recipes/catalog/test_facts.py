"""What the entries say, held against the pinned LLaMA-Factory and transformers themselves."""

import re
from pathlib import Path
from typing import Any

import pytest

from recipes.catalog.catalog import backbones
from recipes.catalog.unknown_model import known_models

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


def test_ids_and_template_are_those_of_llamafactory(known: dict[str, tuple[str | None, str | None]]) -> None:
    for name in sorted(set(NAMES) - UNKNOWN_TO_LLAMAFACTORY):
        backbone = backbones()[name]
        modelscope, template = known[backbone.hub.removesuffix("-BF16")]
        assert (backbone.modelscope or "") == ("" if backbone.hub.endswith("-BF16") else modelscope or ""), name
        if name in OTHERWISE:
            assert (backbone.template, template) == OTHERWISE[name]
            continue
        assert backbone.template == template, name
        if not backbone.hub.endswith("-BF16"):
            assert backbone.thinks == known_models()[backbone.hub.lower()].get("thinks", False), name


def test_the_others_are_really_unknown_to_it(known: dict[str, tuple[str | None, str | None]]) -> None:
    assert not {backbones()[name].hub for name in UNKNOWN_TO_LLAMAFACTORY} & set(known)


def test_every_template_is_one_of_llamafactorys() -> None:
    from llamafactory.data.template import TEMPLATES

    assert {backbone.template for backbone in backbones().values()} <= {None, *TEMPLATES}


def test_liger_takes_effect_where_it_says_so() -> None:
    from llamafactory.model.model_utils import liger_kernel

    source = Path(liger_kernel.__file__).read_text(encoding="utf-8")
    kinds = set(re.findall(r'"([a-z0-9_]+)"', "\n".join(re.findall(r"model_type (?:==|in) .*", source))))
    for backbone in backbones().values():
        assert backbone.liger == (backbone.architecture in kinds), backbone.name


def test_fused_attention_takes_effect_where_it_says_so() -> None:
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto

    sees = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    said = {one.architecture: one.sdpa for one in backbones().values() if not one.trust_remote_code}
    for architecture, sdpa in said.items():
        kind = type(AutoConfig.for_model(architecture))
        model = sees[kind] if kind in sees else modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING[kind]
        capped = architecture == "gemma2"  # loads, but leaves out the capping of attention scores
        assert sdpa == (bool(model._supports_sdpa) and not capped), architecture
