"""What a model reads in training and serving, held against its published chat template, for every backbone.

The templates are our own short forms of the published ones: `twin.chat_template` and `prepare.files` of the entries,
which name their sources. LLaMA-Factory's template is asked for text instead of token ids.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from recipes.catalog.catalog import Backbone, backbones
from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware, find_method
from recipes.export.finish import as_trained
from recipes.heldout import arguments_of
from recipes.llamafactory.chat_format import FORMAT, template_of
from recipes.prepare.prepare import preparation
from recipes.recipe import Recipe
from recipes.render import render_all

NAMES = sorted(backbones())
ASKED, ANSWER = {"role": "user", "content": "Hi 你好 12"}, {"role": "assistant", "content": "Well."}
SYSTEM = "Answer in brief."
EMPTY = "<think>\n\n</think>\n\n"
# What LLaMA-Factory writes otherwise, with no setting that changes it, and the same for base and tuned model:
# published -> ours.
NOT_SEEN = {"glm4.5-air-106b", "glm4.7-flash-30b"}
"""Their twins have GLM-4's template: their own, with an empty thought, was not to be had."""
KNOWN_DIFFERENCES = {
    # the space is part of the first word's token
    "llama2": [(" Well. </s>", "Well.</s>")],
    # made to think always: the thought that the prompt opens is closed at once
    "deepseekr1": [
        ("<｜Assistant｜><think>\n", f"<｜Assistant｜>{EMPTY}"),
        ("<｜Assistant｜>Well", f"<｜Assistant｜>{EMPTY}Well"),
    ],
    # the end of the whole text behind that of the turn
    "gemma2": [("Well.<end_of_turn>\n", "Well.<end_of_turn>\n<eos>")],
    # an answer ends where the next turn begins; the line break before it is learnt as its first token
    "glm4": [("<|assistant|>\nWell.", "<|assistant|>\nWell.<|endoftext|>")],
    # Meta's own code (github.com/meta-llama/llama-models) has no dates before a system message
    "llama3": [(f"Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n{SYSTEM}", SYSTEM)],
    # a system message is a turn in their code (github.com/01-ai/Yi), and bare in the tokenizer's template
    "yi": [(f"{SYSTEM}<|im_start|>user", f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user")],
    # theirs names the day on which it is asked
    "granite3": [("Today's Date: TODAY", "Today's Date: April 16, 2025")],
}  # fmt: skip


class Texts:
    """A tokenizer whose tokens are the texts themselves."""

    def __init__(self, backbone: Backbone) -> None:
        settings = {
            **backbone.twin.get("tokenizer_config", {}),
            **preparation(backbone).files.get("tokenizer_config.json", {}),
        }
        self.bos_token = self.bos_token_id = settings.get("bos_token")
        self.eos_token = self.eos_token_id = settings["eos_token"]
        self.pad_token = self.pad_token_id = "<pad>"
        self.chat_template = published(backbone)

    def encode(self, text: str, add_special_tokens: bool = False) -> list[str]:
        return [text]

    def decode(self, ids: list[str]) -> str:
        return "".join(ids)

    def convert_tokens_to_ids(self, token: str) -> str:
        return token

    def convert_ids_to_tokens(self, token: str) -> str:
        return token

    def add_special_tokens(self, tokens: dict[str, Any], **_: Any) -> int:
        self.eos_token = self.eos_token_id = tokens.get("eos_token", self.eos_token)
        return 0

    def apply_chat_template(
        self, messages: list[dict[str, str]], add_generation_prompt: bool, tokenize: bool = False, **more: Any
    ) -> str:
        return written(self, messages, add_generation_prompt, **more)


def published(backbone: Backbone) -> str:
    return preparation(backbone).files.get("chat_template.jinja") or backbone.twin.get("chat_template", "")


def written(tokenizer: Texts, messages: list[dict[str, str]], begun: bool, **more: Any) -> str:
    """Return what transformers makes of messages by the published template."""
    from transformers.utils.chat_template_utils import _compile_jinja_template

    template = _compile_jinja_template(tokenizer.chat_template)
    template.environment.globals["strftime_now"] = lambda _: "TODAY"
    tokens = {"bos_token": tokenizer.bos_token, "eos_token": tokenizer.eos_token}
    return template.render(messages=messages, add_generation_prompt=begun, **tokens, **more)


def recipe_of(name: str, think: bool = False) -> Recipe:
    return Recipe(
        task="medical_en", backbone=find_backbone(name), method=find_method("lora"), hardware=find_hardware("80gb"),
        data=DataFacts(rows=100), model_path=f"models/{name}", think=think,
    )  # fmt: skip


def formats(recipe: Recipe) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the format's keys in every file of a run, and of its held-out loss."""
    found = {path: yaml.safe_load(text) for path, text in render_all(recipe).items() if path.endswith(".yaml")}
    for who in ("base", "tuned"):
        found[f"heldout {who}"] = arguments_of(recipe, who, "test", found["recipe.yaml"])
    assert len(found) == 6
    for path, settings in found.items():
        yield path, {key: settings[key] for key in FORMAT if key in settings}


@pytest.mark.parametrize("name", NAMES)
def test_training_held_out_loss_export_and_serving_have_one_format(name: str) -> None:
    found = dict(formats(recipe_of(name)))
    assert all(settings == found["recipe.yaml"] for settings in found.values()), found
    assert found["recipe.yaml"].get("enable_thinking") == (False if backbones()[name].thinks else None)


@pytest.mark.parametrize("name", [name for name in NAMES if backbones()[name].thinks])
def test_think_lets_both_sides_think_and_unteaches_it_to_none(name: str) -> None:
    recipe = recipe_of(name, think=True)
    found = {path: settings["enable_thinking"] for path, settings in formats(recipe)}
    assert found == {
        "recipe.yaml": None, "heldout base": None, "heldout tuned": None,
        "export.yaml": True, "serve/base.yaml": True, "serve/tuned.yaml": True,
    }  # fmt: skip
    assert recipe.command("train").endswith(" THINK=1")


def form_of(backbone: Backbone) -> str:
    """Return all that decides the format of a backbone, of which many have the same."""
    set_by_it = {key: value for key, value in backbone.settings.items() if key in FORMAT}
    tokens = backbone.twin.get("tokenizer_config", {}).get("eos_token")
    return str((backbone.template, published(backbone), backbone.default_system, backbone.thinks, set_by_it, tokens))


DISTINCT = {form_of(backbones()[name]): name for name in NAMES if published(backbones()[name]) and name not in NOT_SEEN}


@pytest.mark.slow
@pytest.mark.usefixtures("own_templates")
@pytest.mark.parametrize("name", DISTINCT.values())
def test_it_reads_what_its_published_template_writes(name: str) -> None:
    for system in ("", SYSTEM):
        check_against_the_published(name, system)


def check_against_the_published(name: str, system: str) -> None:
    backbone = backbones()[name]
    tokenizer = Texts(backbone)
    template = template_of(dict(formats(recipe_of(name)))["serve/base.yaml"], tokenizer)
    asked = [{"role": "system", "content": system}, ASKED] if system else [ASKED]
    prompt, _ = template.encode_oneturn(tokenizer, [ASKED, {**ANSWER, "content": ""}], system)
    (trained,) = template.encode_multiturn(tokenizer, [ASKED, ANSWER], system)
    whole = "".join([*trained[0], *trained[1], *([tokenizer.eos_token] if template.efficient_eos else [])])
    expected = written(tokenizer, asked, True, enable_thinking=False), written(tokenizer, [*asked, ANSWER], False)
    for theirs, ours in KNOWN_DIFFERENCES.get(backbone.template or "", []):
        expected = tuple(text.replace(theirs, ours) for text in expected)
    assert "".join(prompt) == expected[0]
    assert whole.partition(ASKED["content"])[2] == expected[1].partition(ASKED["content"])[2]
    assert "".join(trained[0]) == "".join(prompt), "trained behind the prompt that it is asked with"


@pytest.mark.slow
@pytest.mark.usefixtures("own_templates")
@pytest.mark.parametrize("name", [name for name in DISTINCT.values() if backbones()[name].thinks])
def test_an_exported_model_asks_by_itself_as_it_was_trained(name: str) -> None:
    tokenizer = Texts(backbones()[name])
    template = template_of(dict(formats(recipe_of(name)))["export.yaml"], tokenizer)
    prompt, _ = template.encode_oneturn(tokenizer, [ASKED, {**ANSWER, "content": ""}])
    tokenizer.chat_template = as_trained(tokenizer, template.add_thought()) or tokenizer.chat_template
    assert written(tokenizer, [ASKED], True) == "".join(prompt)
    assert written(tokenizer, [ASKED], True, enable_thinking=False) == "".join(prompt)
    assert not as_trained(tokenizer, template.add_thought()), "once"
    assert as_trained(tokenizer, "") == "", "where it thinks, or cannot"


@pytest.mark.slow
@pytest.mark.usefixtures("own_templates")
def test_thinking_is_asked_for_as_in_the_published_template() -> None:
    for name, added in (("qwen3-8b", ""), ("deepseek-r1-7b", "<think>\n")):
        tokenizer = Texts(backbones()[name])
        template = template_of(dict(formats(recipe_of(name, think=True)))["serve/base.yaml"], tokenizer)
        prompt, _ = template.encode_oneturn(tokenizer, [ASKED, {**ANSWER, "content": ""}])
        # LLaMA-Factory leaves the opening of the thought to DeepSeek-R1 itself, as its first template did
        assert "".join(prompt) + added == written(tokenizer, [ASKED], True)


@pytest.mark.slow
def test_the_short_form_of_a_template_says_what_the_models_own_file_says() -> None:
    """SmolLM2's weights are here, and its chat template with them."""
    from gguf import GGUFReader

    from recipes.prepare.gguf_model import locate

    backbone = backbones()["smollm2-135m"]
    field = GGUFReader(locate(**preparation(backbone).gguf)).fields["tokenizer.chat_template"]
    short, whole = Texts(backbone), Texts(backbone)
    whole.chat_template = field.contents()
    for messages in ([ASKED], [{"role": "system", "content": SYSTEM}, ASKED], [ASKED, ANSWER]):
        assert written(short, messages, True) == written(whole, messages, True)
