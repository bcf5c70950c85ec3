"""What Ollama makes of a chat is what the model was trained on: every template of LLaMA-Factory's, text by text."""

import copy
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from common.errors import UserError
from recipes.export.modelfile import go_template, modelfile
from recipes.llamafactory.chat_format import ChatFormat, chat_format
from tests.recipes.export.go_template import render

CHATML = ChatFormat(
    begin="",
    system="<|im_start|>system\n{{content}}<|im_end|>\n",
    user="<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n",
    assistant="{{content}}<|im_end|>\n",
    default_system="You are Qwen.",
    stops=("<|im_end|>",),
)
LLAMA2 = ChatFormat(
    begin="",
    system="<<SYS>>\n{{content}}\n<</SYS>>\n\n",
    user="<s>[INST] {{content}} [/INST]",
    assistant="{{content}}</s>",
    first_token="<s>",
    stops=("</s>",),
    system_in_question=True,
)
ONE = [{"role": "user", "content": "Hi 你好 {12}"}]
THREE = [*ONE, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Bye\n"}]
SYSTEM = {"role": "system", "content": "Be brief."}


def prompt(form: ChatFormat, messages: list[dict[str, str]], system: str = "", adds_first: bool = False) -> str:
    given = [SYSTEM, *messages] if system else messages
    return render(go_template(form, adds_first), system, given)


def test_a_chat_is_written_as_it_was_trained() -> None:
    assert prompt(CHATML, ONE) == "<|im_start|>user\nHi 你好 {12}<|im_end|>\n<|im_start|>assistant\n"
    assert prompt(CHATML, THREE, "Be brief.") == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi 你好 {12}<|im_end|>\n<|im_start|>assistant\n"
        "Hello<|im_end|>\n<|im_start|>user\nBye\n<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_system_message_stands_inside_the_first_question_where_the_format_has_it_there() -> None:
    asked = "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi 你好 {12} [/INST]Hello</s>"
    assert prompt(LLAMA2, THREE, "Be brief.") == f"<s>{asked}<s>[INST] Bye\n [/INST]"


def test_the_begin_token_that_is_put_there_anyway_is_not_written_twice() -> None:
    assert prompt(LLAMA2, THREE, adds_first=True) == "[INST] Hi 你好 {12} [/INST]Hello</s><s>[INST] Bye\n [/INST]"
    behind = ChatFormat("<bos>", "", "<u>{{content}}<a>", "{{content}}<e>", first_token="<bos>")
    assert prompt(behind, ONE, adds_first=True) == "<u>Hi 你好 {12}<a>"
    assert prompt(behind, ONE) == "<bos><u>Hi 你好 {12}<a>"


def test_what_go_would_take_for_its_own_is_written_out() -> None:
    odd = ChatFormat("", "", '{"q": {{"{{content}}"}}', "{{content}}")
    assert prompt(odd, ONE) == '{"q": {{"Hi 你好 {12}"}}'


def test_the_modelfile_says_where_the_weights_are_and_where_an_answer_ends() -> None:
    text = modelfile(CHATML, "./model.gguf", adds_first=False, context=2048)
    lines = text.splitlines()
    assert lines[1] == "FROM ./model.gguf"
    assert 'SYSTEM """You are Qwen."""' in lines
    assert 'PARAMETER stop "<|im_end|>"' in lines
    assert "PARAMETER num_ctx 2048" in lines
    assert text.split('TEMPLATE """')[1].split('"""')[0] == go_template(CHATML, adds_first=False)
    assert "num_ctx 4096" in modelfile(CHATML, ".", adds_first=False, context=131072)
    with pytest.raises(UserError, match='holds """'):
        modelfile(ChatFormat('"""', "", "{{content}}", "{{content}}"), ".", adds_first=False)


class Words:
    """A tokenizer whose tokens are texts, so that what LLaMA-Factory encodes can be read."""

    bos_token = bos_token_id = "<BOS>"
    eos_token = eos_token_id = "<EOS>"

    def encode(self, text: str, add_special_tokens: bool = False) -> list[str]:
        return [text]

    def convert_tokens_to_ids(self, token: str) -> str:
        return token

    def convert_ids_to_tokens(self, token: str) -> str:
        return token


def trained_text(template, messages: list[dict[str, str]], system: str) -> str:
    """Return the prompt as LLaMA-Factory's own template puts it together for training."""
    answered = [*messages, {"role": "assistant", "content": "Well"}]
    pairs = template.encode_multiturn(Words(), answered, system or None, None)
    return "".join("".join(part) for pair in pairs for part in pair).removesuffix("".join(pairs[-1][1]))


@pytest.fixture(scope="module")
def every_template() -> dict[str, tuple[object, ChatFormat]]:
    from llamafactory.data.template import TEMPLATES, ReasoningTemplate

    found = {}
    for name, template in copy.deepcopy(TEMPLATES).items():
        if isinstance(template, ReasoningTemplate):
            template.enable_thinking = False
        found[name] = template, chat_format(template, Words())
    return found


@pytest.mark.slow
def test_every_template_of_llamafactory_gives_the_text_it_trains_on(every_template) -> None:
    wrong = []
    for name, (template, form) in every_template.items():
        for messages in (ONE, THREE):
            for system in ("", "Be brief."):
                expected = trained_text(template, messages, system)
                for adds_first in (False, True):
                    wanted = expected.removeprefix("<BOS>") if adds_first else expected
                    got = prompt(form, messages, system or form.default_system, adds_first)
                    wrong += [(name, wanted, got)] if got != wanted else []
    assert len(every_template) > 100
    assert not wrong, wrong[:3]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("go"), reason="no Go on this machine, whose own text/template is asked here")
def test_go_itself_renders_them_so(every_template) -> None:
    cases = [
        {"Template": go_template(form, adds_first), "System": system, "Messages": [SYSTEM, *THREE] if system else ONE}
        for _, form in every_template.values()
        for adds_first in (False, True)
        for system in ("", "Be brief.")
    ]
    command = ["go", "run", str(Path(__file__).with_name("ollama_template.go"))]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=900, check=True)
    ours = [render(case["Template"], case["System"], case["Messages"]) for case in cases]
    assert json.loads(done.stdout) == ours
