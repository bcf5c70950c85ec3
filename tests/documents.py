"""What the documents hold that can be held against the code: commands, links, tables, messages. Reads, runs nothing."""

import ast
import json
import re
import shlex
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.checkout import ROOT

DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "README.zh.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/zh").glob("*.md")),
]
NOTEBOOK = ROOT / "docs" / "colab.ipynb"
FENCE = re.compile(r"^```(\w*)(?: (\S+))?\n(.*?)^```$", re.M | re.S)
"""A code block: its language, what else stands there, its text."""
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
ASSIGNED = re.compile(r"^([A-Z][A-Z_]*)=(.*)$", re.S)


@dataclass(frozen=True)
class Command:
    """One `make ...` or `python -m ...` of a document."""

    text: str
    block: bool
    """In a block of commands, to be typed as it is; otherwise named in running text, maybe without all its words."""
    program: str
    """The target of make, or the module of python -m."""
    words: tuple[str, ...] = ()
    given: dict[str, str] = field(default_factory=dict)
    """NAME=value, before or after make."""


def text_of(document: Path) -> str:
    """Return a document's Markdown, that of the notebook's text cells too."""
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return text


def prose(text: str) -> str:
    """Return what stands outside code blocks."""
    return FENCE.sub("", text)


def blocks(text: str) -> list[str]:
    """Return the code blocks."""
    return [body for _, _, body in FENCE.findall(text)]


def headings(text: str) -> list[tuple[int, str]]:
    """Return (depth, title) of every heading."""
    return [(len(marks), title) for marks, title in re.findall(r"^(#+) (.+)$", prose(text), re.M)]


def anchors(text: str) -> list[str]:
    """Return the anchor that GitHub gives each heading."""
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in headings(text)]


def links(text: str) -> list[str]:
    """Return where the links point."""
    return LINK.findall(SPAN.sub("", prose(text)))


def table(text: str, command: str) -> str:
    """Return the table that stands under the mark of the command that makes it."""
    return text.split(f"<!-- table: {command} -->\n")[1].split("\n<!-- end of table -->", maxsplit=1)[0]


def commands(document: Path) -> list[Command]:
    """Return every command of a document."""
    text = text_of(document)
    found = []
    for body in blocks(text):
        found += commands_of(body)
    for span in SPAN.findall(prose(text)):
        found += _parsed(" ".join(span.split()), block=False)
    return found


def commands_of(body: str) -> list[Command]:
    """Return the commands of a code block."""
    return [command for line in body.splitlines() for command in _parsed(line, block=True)]


def _parsed(line: str, block: bool) -> list[Command]:
    """Return the commands of a line: none where it is something else."""
    if not re.match(r"(\S+=\S* )*(make|python -m) \S", line):
        return []
    words = shlex.split(line, comments=True)
    given = {}
    while match := ASSIGNED.match(words[0]):
        given[match[1]] = match[2]
        words = words[1:]
    if words[0] == "make":
        targets = [word for word in words[1:] if not ASSIGNED.match(word) and word != "..."]
        given |= {match[1]: match[2] for word in words if (match := ASSIGNED.match(word))}
        return [Command(line, block, f"make {target}", (), given) for target in targets]
    return [Command(line, block, words[2], tuple(word for word in words[3:] if word != "..."), given)]


def says(source: Path, message: str) -> bool:
    """Tell whether a text in a Python file, or in those of a folder, is this message; "..." stands for anything."""
    return any(_alike(text, message) for path in _files(source) for text in _texts(path))


def _files(source: Path) -> list[Path]:
    return [source] if source.is_file() else sorted(source.rglob("*.py"))


@cache
def _texts(path: Path) -> tuple[str, ...]:
    """Return every text of a Python file, what is filled in as "..."."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values))
    return tuple(text.replace("{}", "...") for text in found if len(text) >= 8)


def _alike(text: str, message: str) -> bool:
    """Tell whether the message is a part of the text, or what the text becomes when it is filled in."""
    parts = [part for part in message.rstrip(".").split("...") if part.strip()]
    if all(part in text for part in parts):
        return bool(re.search(_pattern(message.rstrip(".")), text, re.S))
    fixed = text.split("...")
    if sum(map(len, fixed)) <= 8 or not all(part in message for part in fixed):
        return False
    return bool(re.fullmatch(_pattern(text), message, re.S))


def _pattern(text: str) -> str:
    return ".*".join(map(re.escape, text.split("...")))
