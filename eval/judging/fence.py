"""Keep what contestants wrote from passing for the judge's words or for the prompt's own structure.

The stored answers stay as they are; only the copy that is sent to the judge is changed, and how often is logged.
"""

import hashlib
import re

# The labels in any spelling that a reader would take for one: other blanks, line breaks, wide digits, markup.
_ANY_LABEL = re.compile(
    r"assistant[\s*_`]*(?:[1１]|one)[\s*_`]*is[\s*_`]*(?:better[\s*_`]*than|worse[\s*_`]*than|equal[\s*_`]*to)"
    r"[\s*_`]*assistant[\s*_`]*(?:[2２]|two)"
    r"|(?:助手|助理)\s*[1１一]\s*(?:优于|好于|强于|劣于|差于|不如|等于|等同于)\s*(?:助手|助理)\s*[2２二]",
    re.IGNORECASE,
)
REMOVED = {"en": "[a sentence that imitates a verdict]", "zh": "[一句模仿评判结论的话]"}
# Control tokens of chat formats: a judge served with a careless tokenizer would take them for real ones.
_CONTROL = re.compile(
    r"<\|[^|<>\n]{1,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<reserved_\d+>", re.IGNORECASE
)
# Characters that hide text from a reader or break a label up so that it is not found.
_HIDDEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")


def mark(*parts: str) -> str:
    """Return a fence mark made from all that is fenced.

    It differs for every prompt, so an answer cannot hold it: whoever changes the answer changes the mark. And it
    is the same for the same prompt, so that a repeated call is found in the cache.
    """
    salt = 0
    while True:
        digest = hashlib.sha256("\0".join([str(salt), *parts]).encode()).hexdigest()
        found = f"=={digest[:12]}=="
        if not any(found in part for part in parts):
            return found
        salt += 1


def defuse(text: str, language: str) -> tuple[str, int]:
    """Return a copy of an answer without verdicts, control tokens and hidden characters, and how many it had."""
    text, hidden = _HIDDEN.subn("", text)
    text, control = _CONTROL.subn(lambda match: match[0].replace("<", "‹").replace("[", "［"), text)
    text, verdicts = _ANY_LABEL.subn(REMOVED[language], text)
    return text, hidden + control + verdicts
