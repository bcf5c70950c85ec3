"""The author's own words: `words.md` beside the report, which is made once and never overwritten.

What it says under a heading goes into the report's place of that name; where it says nothing, the report shows a
placeholder with the heading's guidance.
"""

import re
from pathlib import Path

from common.errors import UserError, nearest
from common.files import write_text
from common.templates import fill
from eval.reporting.language import LANGUAGES, TEMPLATES, Language

HEADINGS = (
    "Title", "Authors", "Research topic", "Experiment design", "Code implementation", "Result analysis", "Conclusion",
    "Acknowledgement",
)  # fmt: skip
OPTIONAL = ("Title", "Authors", "Acknowledgement")


def words_of(path: Path, tell: Language) -> dict[str, str]:
    """Return heading -> words, "" where there are none; the file is made when it is not there."""
    if not path.exists():
        write_text(path, blank(tell))
    try:
        found = read(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", "save it as UTF-8 text, or move it away") from None
    called = {name: heading for code in LANGUAGES for heading, name in Language(code).words["headings"].items()}
    unknown = [name for name in found if name not in called]
    if unknown:
        hints = "; ".join(filter(None, (nearest(name, called) for name in unknown)))
        raise UserError(
            f"{path} has headings that the report has no place for: {', '.join(unknown)}",
            f"{hints or 'there are ' + ', '.join(tell.words['headings'].values())}; ## is for headings of your own",
        )
    return dict.fromkeys(HEADINGS, "") | {called[name]: words for name, words in found.items()}


def read(text: str) -> dict[str, str]:
    """Return the words below each `# heading`, comments left out. Pure."""
    bare = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    parts = re.split(r"^#[ \t]+(.+?)[ \t]*#*$", bare, flags=re.MULTILINE)
    return {heading.strip(): words.strip() for heading, words in zip(parts[1::2], parts[2::2], strict=True)}


def blank(tell: Language) -> str:
    """Return the file as it is made: every heading with its guidance as a comment, a grader's checklist last. Pure."""
    return fill(TEMPLATES / "words.md.jinja", headings=HEADINGS, words=tell.words)
