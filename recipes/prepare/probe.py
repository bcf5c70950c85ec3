"""The last step of a preparation: prove that a folder's tokenizer and chat format are what the backbone was trained on.

What a repository on the hub ships today only shows on the user's machine. A model trained on other tokens than it
knows fails without a word, so a mismatch stops here and says what was expected and what was got.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.schema import Schema, Texts
from recipes.catalog.catalog import Backbone
from recipes.catalog.unknown_model import template_hint
from recipes.llamafactory.chat_format import parsed
from recipes.prepare.download import repository

TEXTS = (
    "Hello there",
    "Aspirin 100 mg, 2x daily:\n  it's 75% cheaper.",
    "阿司匹林的用法：每日2次，每次100毫克。",
    " 根据《民法典》第1165条 (fault),  who pays?\n\n",
)
"""English and Chinese, digits, runs of spaces, line ends, spaces at both ends."""


PLAIN = "The patient takes 2 tablets, twice a day."


class Probe(Schema, use_attribute_docstrings=False):
    """What must be true of a prepared folder."""

    file: str = ""
    """The tokenizer's own file (tokenizer.model or tokenizer.json): what it gives by itself, transformers must give."""
    whole: Texts = ()
    """Tokens of the chat format: each must be one id, wherever it stands."""
    user: str = ""
    """LLaMA-Factory's template, as it must read it out of the chat template: what stands around a question,"""
    assistant: str = ""
    """around an answer, its end token with it,"""
    system: str = ""
    """and around a system message."""


def check(folder: Path, probe: Probe, backbone: Backbone) -> None:
    """Stop with all that is wrong with the folder, or return."""
    from transformers import AutoTokenizer

    load = {"trust_remote_code": backbone.trust_remote_code, "padding_side": "right"}  # as LLaMA-Factory loads it
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **load)
        with tempfile.TemporaryDirectory() as saved:
            tokenizer.save_pretrained(saved)
            again = AutoTokenizer.from_pretrained(saved, **load)
    except Exception as error:
        raise _stop(backbone, [f"its tokenizer does not load: {type(error).__name__}: {error}"]) from error
    problems = _whole_tokens(tokenizer, probe) + _same_text(tokenizer)
    if probe.file:
        problems += _same_ids(tokenizer, folder / probe.file, probe)
    problems += [
        f"{text!r} gives other ids once the tokenizer was saved and loaded again"
        for text in TEXTS
        if _ids(tokenizer, text) != _ids(again, text)
    ]
    if probe.user:
        problems += _format(tokenizer, probe)
    if problems:
        raise _stop(backbone, problems)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False)


def check_unknown(backbone: Backbone) -> None:
    """Stop when the tokenizer of a model that no entry speaks for, as transformers loads it, does not keep plain text.

    (transformers 5 takes some byte-level tokenizers for sentencepiece ones, and every space is lost.)
    """
    from transformers import AutoTokenizer

    where = backbone.hub or backbone.name
    with repository(backbone).clear_errors():
        try:
            tokenizer = AutoTokenizer.from_pretrained(where, revision=backbone.revision, trust_remote_code=False)
        except (ValueError, OSError) as error:
            if "trust_remote_code" in str(error):
                return  # whether its code may run is for the user to say, in SET; LLaMA-Factory asks for it
            if type(error.__cause__).__module__.startswith("huggingface_hub"):  # which transformers calls an OSError
                raise error.__cause__ from None  # type: ignore[misc]
            raise _stop(backbone, [f"its tokenizer does not load: {error}"]) from error
    if not backbone.template:
        _check_own_template(tokenizer, backbone)
    back = str(tokenizer.decode(_ids(tokenizer, PLAIN)))
    if back.split() != PLAIN.split():
        raise _stop(backbone, [f"{PLAIN!r} comes back from its {type(tokenizer).__name__} as {back!r}"])


def _check_own_template(tokenizer: Any, backbone: Backbone) -> None:
    """Stop when the tokenizer's chat template cannot be trained in, warn when an answer would not learn to end."""
    hint = template_hint(backbone.architecture)
    if not tokenizer.chat_template:
        raise UserError(f"the tokenizer of {backbone.name} has no chat template", hint)
    try:
        answer = str(parsed(tokenizer).format_assistant.slots[-1])
    except Exception as error:  # whatever a chat template can raise
        what = f"LLaMA-Factory cannot read the chat template of {backbone.name}: {error}"
        raise UserError(what, hint) from None
    if (end := tokenizer.eos_token) not in answer:
        trouble = f"by the tokenizer's chat template an answer is {answer!r}: it would not learn to end ({end})"
        print(f"warning: {trouble}\n  next: {hint}", file=sys.stderr)


def _stop(backbone: Backbone, problems: list[str]) -> UserError:
    listed = "\n".join(f"  - {problem}" for problem in problems)
    what = f"{backbone.name} was prepared from {backbone.hub}, but" if backbone.prepare else f"{backbone.name}:"
    cure = "the files at the hub differ from those this was made for: correct the backbone's `prepare:`"
    return UserError(
        f"{what} training on it would go wrong:\n{listed}",
        f"{cure if backbone.prepare else 'give it an entry with a `prepare:`'} (docs/backbones.md says how)",
    )


def _whole_tokens(tokenizer: Any, probe: Probe) -> list[str]:
    problems = []
    for token in probe.whole:
        # after a letter: a token marked single_word would fall apart there
        for text, expected in ((token, 1), (f"a{token}", 1 + len(_ids(tokenizer, "a")))):
            ids = _ids(tokenizer, text)
            if len(ids) != expected:
                problems.append(f"{token} must be one id; {text!r} gives {tokenizer.convert_ids_to_tokens(ids)}")
    return problems


def _same_text(tokenizer: Any) -> list[str]:
    back = {text: tokenizer.decode(_ids(tokenizer, text)) for text in TEXTS}
    return [f"{text!r} comes back as {got!r}" for text, got in back.items() if text != got]


def _same_ids(tokenizer: Any, path: Path, probe: Probe) -> list[str]:
    """Compare with the tokenizer's own file, for plain text and for text behind tokens of the chat format."""
    encode, id_of = _reference(path)
    problems = []
    for text in TEXTS:
        inside = encode(text)
        cases = [(text, inside)] + [(f"{token}{text}", [id_of(token), *inside]) for token in probe.whole]
        for case, expected in cases:
            got = _ids(tokenizer, case)
            if got != expected:
                pieces, wrong = (tokenizer.convert_ids_to_tokens(ids) for ids in (expected, got))
                problems.append(f"{case!r}: expected {pieces}, got {wrong}")
    return problems[:3]  # one cause shows in all of them


def _reference(path: Path) -> tuple[Callable[[str], list[int]], Callable[[str], int]]:
    """Return how a tokenizer's own library encodes text, and a token's id."""
    if path.suffix == ".model":
        import sentencepiece

        model = sentencepiece.SentencePieceProcessor(str(path))
        return model.encode, model.piece_to_id
    from tokenizers import Tokenizer

    file = Tokenizer.from_file(str(path))
    return (lambda text: file.encode(text, add_special_tokens=False).ids), file.token_to_id


def _format(tokenizer: Any, probe: Probe) -> list[str]:
    try:
        template = parsed(tokenizer)
    except Exception as error:  # whatever a chat template can raise
        return [f"LLaMA-Factory cannot read the chat template: {type(error).__name__}: {error}"]
    problems = [
        f"around {name}: expected {expected!r}, got {got!r}"
        for name, expected, got in (
            ("a question", [probe.user], template.format_user.slots),
            ("an answer", [probe.assistant], template.format_assistant.slots),
            ("a system message", [probe.system], template.format_system.slots),
            ("the beginning", [], template.format_prefix.slots),
        )
        if got != expected
    ]
    if probe.assistant and not probe.assistant.endswith(tokenizer.eos_token):
        problems.append(f"an answer ends with {probe.assistant!r}, but generation stops at {tokenizer.eos_token!r}")
    return problems
