"""The chat format of a model, read out of LLaMA-Factory's templates: what stands around the messages in training."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CONTENT = "{{content}}"
FORMAT = ("template", "default_system", "enable_thinking", "preserve_thinking", "tool_format")
"""The keys that decide it."""


@dataclass(frozen=True)
class ChatFormat:
    """What stands around the messages in the training text; {{content}} is a message."""

    begin: str
    system: str
    user: str
    """Up to where the answer begins."""
    assistant: str
    thought: str = ""
    """The empty thought at the end of `user`, "" where the model thinks or cannot."""
    first_token: str = ""
    """The tokenizer's own begin token."""
    default_system: str = ""
    stops: tuple[str, ...] = ()
    system_in_question: bool = False
    """Whether a system message stands inside the first question instead of before it."""


def chat_format(template: Any, tokenizer: Any) -> ChatFormat:
    """Read the format out of a template of LLaMA-Factory's and the tokenizer that it was fitted to."""
    from llamafactory.data.template import Llama2Template, ReasoningTemplate

    def written(formatter: Any) -> str:
        return "".join(_pieces(formatter.slots, tokenizer))

    thought = ""
    if isinstance(template, ReasoningTemplate) and template.enable_thinking is False:
        thought = template.add_thought()
    stops = (tokenizer.convert_ids_to_tokens(token) for token in sorted(template.get_stop_token_ids(tokenizer)))
    return ChatFormat(
        begin=written(template.format_prefix),
        system=written(template.format_system),
        user=written(template.format_user) + thought,
        assistant=written(template.format_assistant),
        thought=thought,
        first_token=tokenizer.bos_token or "",
        default_system=template.default_system,
        stops=tuple(stop for stop in stops if stop),
        system_in_question=isinstance(template, Llama2Template),
    )


def _pieces(slots: Iterable[Any], tokenizer: Any) -> Iterable[str]:
    """Yield what the slots of LLaMA-Factory's formatters stand for: text, a token, or a token by its role."""
    for slot in slots:
        if isinstance(slot, str):
            yield slot
        elif isinstance(slot, dict):
            yield slot["token"]
        elif "bos_token" in slot:
            yield tokenizer.bos_token or ""
        elif "eos_token" in slot:
            yield tokenizer.eos_token or ""


def template_of(settings: Mapping[str, Any], tokenizer: Any) -> Any:
    """Return the template that LLaMA-Factory trains and serves in with these settings, the tokenizer fitted to it."""
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments

    arguments = DataArguments(**{key: settings[key] for key in FORMAT if key in settings})
    return get_template_and_fix_tokenizer(tokenizer, arguments)


def format_of(settings: Mapping[str, Any], tokenizer: Any) -> ChatFormat:
    """Return the chat format that LLaMA-Factory trains and serves in with these settings."""
    return chat_format(template_of(settings, tokenizer), tokenizer)


def parsed(tokenizer: Any) -> Any:
    """Return LLaMA-Factory's template as it reads it out of a tokenizer's own chat template."""
    from llamafactory.data.template import parse_template

    return parse_template(tokenizer)
