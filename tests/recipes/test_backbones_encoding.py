"""What a model really is trained on: every family's twin, encoded by LLaMA-Factory's own template and processor.

The text of the prompt in the backbone's format, labels on the answers alone, the end token learnt. One twin for
each kind of backbone: a wrong template, tokenizer or special token shows here and nowhere else.
"""

import functools
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from recipes.catalog.catalog import Backbone, backbones
from recipes.catalog.lookup import find_backbone
from recipes.prepare.prepare import correct, link, preparation
from recipes.prepare.probe import TEXTS, check, check_unknown
from recipes.rehearsal.twins import make_twin

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_templates")]

PHOENIX = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, "
    "detailed, and polite answers to the human's questions.\n\n"
)
SMOLLM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
DATES = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
GRANITE = (
    "Knowledge Cutoff Date: April 2024.\nToday's Date: April 16, 2025.\n"
    "You are Granite, developed by IBM. You are a helpful AI assistant."
)
QWEN = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
CHATML = (
    "<|im_start|>user\nHi 你好 12<|im_end|>\n<|im_start|>assistant\nHello there<|im_end|>\n"
    "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nSee you<|im_end|>\n"
)
THOUGHT = "<think>\n\n</think>\n\n"
CHATML_ANSWERS = "Hello there<|im_end|>\nSee you<|im_end|>\n"
DEEPSEEK = (
    f"<｜begin▁of▁sentence｜><｜User｜>Hi 你好 12<｜Assistant｜>{THOUGHT}Hello there<｜end▁of▁sentence｜>"
    f"<｜User｜>Bye<｜Assistant｜>{THOUGHT}See you<｜end▁of▁sentence｜>"
)
GEMMA = (
    "<bos><start_of_turn>user\nHi 你好 12<end_of_turn>\n<start_of_turn>model\nHello there<end_of_turn>\n"
    "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\nSee you<end_of_turn>\n<eos>"
)
GEMMA_ANSWERS = "Hello there<end_of_turn>\n<eos>See you<end_of_turn>\n<eos>"
BAICHUAN = "<reserved_106>Hi 你好 12<reserved_107>Hello there</s><reserved_106>Bye<reserved_107>See you</s>"

GEMMA4 = (
    "<bos><|turn>user\nHi 你好 12<turn|>\n<|turn>model\n<|channel>thought\n<channel|>Hello there<turn|>\n"
    "<|turn>user\nBye<turn|>\n<|turn>model\n<|channel>thought\n<channel|>See you<turn|>\n"
)
MISTRAL = "<s>[INST]Hi 你好 12[/INST]Hello there</s>[INST]Bye[/INST]See you</s>"
ANALYSIS = "<|channel|>analysis<|message|><|end|><|start|>assistant<|channel|>final<|message|>"

EXPECTED = {
    # (<s>[INST] is what is encoded; decoding shows a space behind a special token)
    "llama2-7b": (
        "<s> [INST] Hi 你好 12 [/INST] Hello there</s><s> [INST] Bye [/INST] See you</s>",
        "Hello there</s> See you</s>",
    ),
    "baichuan2-7b": (BAICHUAN, "Hello there</s>See you</s>"),
    "baichuan2-13b": (BAICHUAN, "Hello there</s>See you</s>"),
    "phoenix-7b": (
        f"{PHOENIX}Human: <s>Hi 你好 12</s>Assistant: <s>Hello there</s>Human: <s>Bye</s>Assistant: <s>See you</s>",
        "Hello there</s>See you</s>",
    ),
    "qwen3-4b-instruct": (CHATML, CHATML_ANSWERS),
    "qwen3-8b": (CHATML.replace("assistant\n", f"assistant\n{THOUGHT}"), CHATML_ANSWERS),
    "qwen2.5-7b": (f"<|im_start|>system\n{QWEN}<|im_end|>\n{CHATML}", CHATML_ANSWERS),
    "smollm2-360m": (f"<|im_start|>system\n{SMOLLM}<|im_end|>\n{CHATML}", CHATML_ANSWERS),
    "yi1.5-6b": (CHATML, CHATML_ANSWERS),
    "llama3.1-8b": (
        f"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{DATES}<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi 你好 12<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello there<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nSee you<|eot_id|>",
        "Hello there<|eot_id|>See you<|eot_id|>",
    ),
    "deepseek-r1-7b": (DEEPSEEK, "Hello there<｜end▁of▁sentence｜>See you<｜end▁of▁sentence｜>"),
    "deepseek-r1-8b": (DEEPSEEK, "Hello there<｜end▁of▁sentence｜>See you<｜end▁of▁sentence｜>"),
    "mistral-7b": (
        "<s>[INST] Hi 你好 12[/INST] Hello there</s>[INST] Bye[/INST] See you</s>",
        "Hello there</s> See you</s>",
    ),
    "gemma2-2b": (GEMMA, GEMMA_ANSWERS),
    # history without end tokens, the one at the end: LLaMA-Factory's efficient_eos
    "glm4-9b": (
        "[gMASK]<sop><|user|>\nHi 你好 12<|assistant|>\nHello there<|user|>\nBye<|assistant|>\nSee you<|endoftext|>",
        "\nHello there<|endoftext|>\nSee you<|endoftext|>",
    ),
    "phi4-14b": (
        "<|im_start|>user<|im_sep|>Hi 你好 12<|im_end|><|im_start|>assistant<|im_sep|>Hello there<|im_end|>"
        "<|im_start|>user<|im_sep|>Bye<|im_end|><|im_start|>assistant<|im_sep|>See you<|im_end|>",
        "Hello there<|im_end|>See you<|im_end|>",
    ),
    "granite3.3-8b": (
        f"<|start_of_role|>system<|end_of_role|>{GRANITE}<|end_of_text|>\n"
        "<|start_of_role|>user<|end_of_role|>Hi 你好 12<|end_of_text|>\n"
        "<|start_of_role|>assistant<|end_of_role|>Hello there<|end_of_text|>\n"
        "<|start_of_role|>user<|end_of_role|>Bye<|end_of_text|>\n"
        "<|start_of_role|>assistant<|end_of_role|>See you<|end_of_text|>\n",
        "Hello there<|end_of_text|>\nSee you<|end_of_text|>\n",
    ),
    "qwen3.5-0.8b": (CHATML.replace("assistant\n", f"assistant\n{THOUGHT}"), CHATML_ANSWERS),
    "gemma3-4b": (
        "<bos><start_of_turn>user\nHi 你好 12<end_of_turn>\n<start_of_turn>model\nHello there<end_of_turn>\n"
        "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\nSee you<end_of_turn>\n",
        "Hello there<end_of_turn>\nSee you<end_of_turn>\n",
    ),
    "gemma4-e2b": (GEMMA4, "Hello there<turn|>\nSee you<turn|>\n"),
    "gemma4-31b": (GEMMA4, "Hello there<turn|>\nSee you<turn|>\n"),
    "mistral-nemo-12b": (MISTRAL, "Hello there</s>See you</s>"),
    "mistral-small3.2-24b": (MISTRAL, "Hello there</s>See you</s>"),
    "ministral3-3b": (MISTRAL, "Hello there</s>See you</s>"),
    # efficient_eos; the empty analysis stands in the prompt
    "gpt-oss-20b": (
        "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.<|end|>"
        f"<|start|>user<|message|>Hi 你好 12<|end|><|start|>assistant{ANALYSIS}Hello there"
        f"<|start|>user<|message|>Bye<|end|><|start|>assistant{ANALYSIS}See you<|return|>",
        "Hello there<|return|>See you<|return|>",
    ),
    "phi4-mini-4b": (
        "<|user|>Hi 你好 12<|end|><|assistant|>Hello there<|end|><|user|>Bye<|end|><|assistant|>See you<|end|>",
        "Hello there<|end|>See you<|end|>",
    ),
    "glm4.5-air-106b": (
        f"[gMASK]<sop><|user|>\nHi 你好 12<|assistant|>{THOUGHT}\nHello there<|user|>\nBye<|assistant|>{THOUGHT}"
        "\nSee you<|endoftext|>",
        "\nHello there<|endoftext|>\nSee you<|endoftext|>",
    ),
    "glm4.7-flash-30b": (
        "[gMASK]<sop><|user|>\nHi 你好 12<|assistant|></think>\nHello there<|user|>\nBye<|assistant|></think>"
        "\nSee you<|endoftext|>",
        "\nHello there<|endoftext|>\nSee you<|endoftext|>",
    ),
    "seed-oss-36b": (
        "<seed:bos>user\nHi 你好 12<seed:eos><seed:bos>assistant\n<seed:think></seed:think>Hello there<seed:eos>"
        "<seed:bos>user\nBye<seed:eos><seed:bos>assistant\n<seed:think></seed:think>See you<seed:eos>",
        "Hello there<seed:eos>See you<seed:eos>",
    ),
    "ernie4.5-0.3b": (
        "<|begin_of_sentence|>User: Hi 你好 12\nAssistant: Hello there<|end_of_sentence|>"
        "User: Bye\nAssistant: See you<|end_of_sentence|>",
        "Hello there<|end_of_sentence|>See you<|end_of_sentence|>",
    ),
    "lfm2.5-1.2b": (f"<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n{CHATML}", CHATML_ANSWERS),
    "hunyuan-7b": (
        "<|startoftext|>Hi 你好 12<|extra_0|>Hello there<|eos|>Bye<|extra_0|>See you<|eos|>",
        "Hello there<|eos|>See you<|eos|>",
    ),
}


def kind(backbone: Backbone) -> tuple[str, ...]:
    return (backbone.template or "own", backbone.twin["tokenizer"], str(sorted(backbone.prepare)))


def test_every_kind_of_backbone_is_here_once() -> None:
    ours = {
        name: backbone for name, backbone in backbones().items() if backbone.twin and "gguf" not in backbone.prepare
    }
    wanted = {kind(backbone): name for name, backbone in ours.items()}
    missing = set(wanted) - {kind(find_backbone(name)) for name in EXPECTED}
    kinds = [kind(find_backbone(name)) for name in EXPECTED]
    assert [name for name, found in zip(EXPECTED, kinds, strict=True) if kinds.count(found) > 1] == []
    assert not missing, f"add one of each to EXPECTED: {[wanted[found] for found in missing]}"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder that LLaMA-Factory is given for a backbone: its twin, prepared where the backbone wants that."""
    root = tmp_path_factory.mktemp("twins")

    @functools.cache
    def folder_of(name: str, prepared: bool = True) -> Path:
        backbone = find_backbone(name)
        if not (prepared and backbone.prepare):
            return make_twin(backbone, root / name)
        wanted, folder = preparation(backbone), root / f"{name}-prepared"
        folder.mkdir()
        link(folder_of(name, prepared=False), folder)
        correct(folder, wanted)
        return folder

    return folder_of


def encoder(folder: Path, backbone: Backbone) -> tuple[Any, Any]:
    """Return the tokenizer as LLaMA-Factory loads it, and what encodes a talk with it, behind a system message."""
    from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from llamafactory.model import load_tokenizer

    arguments = ModelArguments(model_name_or_path=str(folder), trust_remote_code=backbone.trust_remote_code)
    loaded = load_tokenizer(arguments)
    tokenizer, seeing = loaded["tokenizer"], loaded["processor"]
    settings = {key: value for key in ("template", "default_system") if (value := getattr(backbone, key))}
    settings |= {key: value for key, value in backbone.settings.items() if key == "default_system"}
    data = DataArguments(**settings, enable_thinking=not backbone.thinks, cutoff_len=2048)
    template = get_template_and_fix_tokenizer(tokenizer, data)
    processor = SupervisedDatasetProcessor(template=template, tokenizer=tokenizer, processor=seeing, data_args=data)
    asked = [("user", "Hi 你好 12"), ("assistant", "Hello there"), ("user", "Bye")]

    def encode(system: str | None = None) -> tuple[list[int], list[int]]:
        return processor._encode_data_example(
            prompt=[{"role": role, "content": content} for role, content in asked],
            response=[{"role": "assistant", "content": "See you"}],
            system=system, tools=None, images=[], videos=[], audios=[],
        )  # fmt: skip

    return tokenizer, encode


@pytest.mark.parametrize("name", EXPECTED)
def test_the_training_text_is_in_the_backbones_own_format(name: str, folders: Any, tmp_path: Path) -> None:
    text, answers = EXPECTED[name]
    tokenizer, encode = encoder(folders(name), find_backbone(name))
    ids, labels = encode()
    assert tokenizer.decode(ids) == text
    learnt = [label for label in labels if label != -100]
    assert tokenizer.decode(learnt) == answers
    end = "<|end_of_sentence|>" if name.startswith("ernie") else tokenizer.eos_token  # its eos is for documents
    assert tokenizer.convert_tokens_to_ids(end) in learnt
    assert len(labels) == len(ids)
    check_system_message(name, tokenizer, encode)
    check_tokenizer(name, tokenizer, folders(name), tmp_path)


def check_system_message(name: str, tokenizer: Any, encode: Any) -> None:
    """Hold that it stands before the first question, in place of the default one, and is not learnt."""
    ids, labels = encode("Answer in brief.")
    text = tokenizer.decode(ids)
    assert text.count("Answer in brief.") == 1
    assert text.index("Answer in brief.") < text.index("Hi 你好 12")
    assert tokenizer.decode([label for label in labels if label != -100]) == EXPECTED[name][1]
    assert not any(default in text for default in (PHOENIX, SMOLLM, QWEN, GRANITE, DATES))


def check_tokenizer(name: str, tokenizer: Any, folder: Path, saved: Path) -> None:
    """Hold that it gives what its own file gives, also once it was saved."""
    if (folder / "tokenizer.json").exists():
        from tokenizers import Tokenizer

        file = Tokenizer.from_file(str(folder / "tokenizer.json"))
        expected = [file.encode(text, add_special_tokens=False).ids for text in TEXTS]
    else:
        import sentencepiece

        expected = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model")).encode(list(TEXTS))
    got = [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]
    if name == "llama2-7b":  # transformers merges a leading space with the one that it puts before any text
        got, expected = got[:3], expected[:3]
    assert got == expected

    from transformers import AutoTokenizer

    tokenizer.save_pretrained(saved)
    again = AutoTokenizer.from_pretrained(saved)
    assert [again.encode(text, add_special_tokens=False) for text in TEXTS][: len(got)] == got
    assert again.encode(tokenizer.eos_token, add_special_tokens=False) == [tokenizer.eos_token_id]


def test_code_that_ships_with_the_weights_loads_and_speaks_once_it_was_put_right(folders: Any) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    folder = folders("baichuan2-13b")
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=torch.float32)
    assert model.config.gradient_checkpointing is False
    ids = torch.tensor([[5, 6, 7]])
    assert torch.isfinite(model(input_ids=ids, labels=ids).loss)
    said = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False, eos_token_id=-1)
    assert said.shape == (1, 6)


@pytest.mark.parametrize("name", [name for name in EXPECTED if backbones()[name].prepare])
def test_the_probe_lets_a_right_folder_pass(name: str, folders: Any) -> None:
    backbone = find_backbone(name)
    check(folders(name), preparation(backbone).probe, backbone)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("baichuan2-7b", "'Hello there': expected ['H', "),  # a space before the text
        ("deepseek-r1-8b", "comes back as"),  # every space lost
        ("yi1.5-6b", "'<|im_start|>Hello there': expected ['<|im_start|>', 'H',"),
    ],
)
def test_the_probe_stops_what_the_hub_ships_as_it_is(name: str, says: str, folders: Any) -> None:
    backbone = find_backbone(name)
    with pytest.raises(UserError) as caught:
        check(folders(name, prepared=False), preparation(backbone).probe, backbone)
    assert says in caught.value.message
    assert "training on it would go wrong" in caught.value.message


def test_the_probe_stops_a_format_that_ends_without_the_end_token(folders: Any, tmp_path: Path) -> None:
    backbone = find_backbone("phoenix-7b")
    wanted = preparation(backbone)
    folder = tmp_path / "phoenix"
    folder.mkdir()
    link(folders("phoenix-7b"), folder)
    broken = wanted.files["chat_template.jinja"].replace(
        "message['content'] + '</s>' }}{% endif %}{% endfor", "message['content'] }}{% endif %}{% endfor"
    )
    (folder / "chat_template.jinja").write_text(broken)
    with pytest.raises(UserError, match="around an answer: expected"):
        check(folder, wanted.probe, backbone)


def test_a_model_that_no_entry_knows_is_stopped_when_it_loses_text(folders: Any) -> None:
    folder = folders("deepseek-r1-8b", prepared=False)
    with pytest.raises(UserError, match="comes back from its LlamaTokenizer as 'Thepatienttakes"):
        check_unknown(find_backbone(str(folder)).model_copy(update={"template": "deepseekr1"}))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("llama2-7b", "LLaMA-Factory cannot read the chat template"),
        ("deepseek-r1-7b", "LLaMA-Factory cannot read the chat template"),
        ("phoenix-7b", "has no chat template"),
    ],
)
def test_a_model_that_no_entry_knows_is_stopped_when_it_has_no_format(name: str, says: str, folders: Any) -> None:
    found = find_backbone(str(folders(name, prepared=False)))
    with pytest.raises(UserError, match=says) as caught:
        check_unknown(found)
    assert 'SET="template=' in caught.value.hint
    check_unknown(found.model_copy(update={"template": "llama2"}))


@pytest.mark.parametrize(("name", "says"), [("qwen3-8b", ""), ("glm4-9b", "it would not learn to end (<|endoftext|>)")])
def test_a_model_that_no_entry_knows_is_warned_of_when_an_answer_would_not_end(
    name: str, says: str, folders: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    check_unknown(find_backbone(str(folders(name, prepared=False))))
    said = capsys.readouterr().err
    assert says in said
    assert ("warning:" in said) == bool(says)
