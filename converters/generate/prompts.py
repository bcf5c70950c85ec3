"""Prompts from Jinja templates, which the user can replace by a folder of files of the same names."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.templates import environment

OWN = Path(__file__).with_name("prompts")
LANGUAGES = {
    "en": "English", "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "fr": "French", "de": "German",
    "es": "Spanish", "pt": "Portuguese", "it": "Italian", "ru": "Russian", "ar": "Arabic", "hi": "Hindi",
    "th": "Thai", "vi": "Vietnamese",
}  # fmt: skip
DOMAINS = {"law": "法律", "medicine": "医学", "finance": "金融"}


@dataclass(frozen=True)
class Prompt:
    """A template in a task's language, and which version of it."""

    name: str
    version: str
    """The template's name and the beginning of its text's SHA-256."""
    template: Any
    language: str
    domain: str

    def render(self, **values: Any) -> str:
        """Return the prompt's text."""
        return str(self.template.render(language=self.language, domain=self.domain, **values)).strip()


def load_prompt(name: str, language: str, domain: str, folder: Path = OWN) -> Prompt:
    """Return the template NAME.zh.jinja for Chinese tasks, NAME.en.jinja for all others."""
    chinese = language == "zh"
    file = f"{name}.{'zh' if chinese else 'en'}.jinja"
    template, digest = _template(folder, file)
    told_domain = DOMAINS.get(domain, domain) if chinese else domain
    return Prompt(name, f"{file} {digest}", template, LANGUAGES.get(language, language), told_domain)


@lru_cache
def _template(folder: Path, file: str) -> tuple[Any, str]:
    from jinja2 import TemplateError

    if not folder.is_dir():
        raise UserError(f"there is no folder of prompts {folder}", f"copy {OWN.name}/ and name the copy")
    try:
        template = environment(folder, OWN).get_template(file)
    except TemplateError as error:
        raise UserError(f"the prompt {folder / file} is no Jinja template: {error}", "fix that file") from None
    text = Path(str(template.filename)).read_bytes()
    return template, hashlib.sha256(text).hexdigest()[:12]
