"""The author's own words: `words.md` beside the report, which is made once and never overwritten.

What it says under a heading goes into the report's place of that name; where it says nothing, the report shows a
placeholder with the heading's guidance.
"""

import re
from pathlib import Path

from common.errors import UserError, nearest
from common.files import write_text

GUIDANCE = {
    "Title": "The report's title; without one the sweep's is taken.",
    "Authors": "Names, student numbers, e-mail addresses.",
    "Research topic": "Why this question, for whom, and what you expected. Three or four sentences.",
    "Experiment design": "Why these models, methods and settings, and what you held fixed on purpose.",
    "Code implementation": "What you wrote or changed yourself (converter, task, prompts), and where it is.",
    "Result analysis": "What explains the figures: insight that no table shows. Read the case studies first.",
    "Conclusion": "What you would tell someone who has the same choice to make, and what you would try next.",
    "Acknowledgement": "",
}
OPTIONAL = ("Title", "Authors", "Acknowledgement")
COURSE = (
    "This work was done for Assignment 2, “Train your own LLMs”, of the course on Large Language Models at the "
    "Chinese University of Hong Kong, Shenzhen. We thank its teaching team."
)
INTRODUCTION = (
    "<!-- Your own words for the report, in Markdown. `make report` puts them in their places and never changes this\n"
    "file. What has no words of yours is shown in the report as a marked placeholder. -->\n"
)


def words_of(path: Path) -> dict[str, str]:
    """Return heading -> words, "" where there are none; the file is made when it is not there."""
    if not path.exists():
        write_text(path, blank())
    found = read(path.read_text(encoding="utf-8-sig"))
    unknown = [heading for heading in found if heading not in GUIDANCE]
    if unknown:
        hints = "; ".join(filter(None, (nearest(heading, GUIDANCE) for heading in unknown)))
        raise UserError(
            f"{path} has headings that the report has no place for: {', '.join(unknown)}",
            f"{hints or 'its headings are ' + ', '.join(GUIDANCE)}; ## is for headings of your own",
        )
    return dict.fromkeys(GUIDANCE, "") | found


def read(text: str) -> dict[str, str]:
    """Return the words below each `# heading`, comments left out. Pure."""
    bare = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    parts = re.split(r"^#[ \t]+(.+?)[ \t]*#*$", bare, flags=re.MULTILINE)
    return {heading.strip(): words.strip() for heading, words in zip(parts[1::2], parts[2::2], strict=True)}


def blank() -> str:
    """Return the file as it is made: every heading with its guidance as a comment. Pure."""
    parts = [
        f"# {heading}\n" + (f"<!-- {guidance} -->\n" if guidance else f"{COURSE}\n")
        for heading, guidance in GUIDANCE.items()
    ]
    return "\n".join([INTRODUCTION, *parts])
