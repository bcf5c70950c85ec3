"""Tell what is wrong with the variables of `make TARGET NAME=value ...`; the Makefile runs this by itself.

    python make_words.py "TARGETS" NAME ...

Prints `wrong` when a variable is misspelt or not taken by any of the targets, with what is wrong on stderr. What a
target takes is read from its own line in the Makefile. Standard library only: it runs before set-up.
"""

import difflib
import re
import sys
from pathlib import Path

MAKEFILE = Path(__file__).resolve().parents[1] / "Makefile"
OTHERS = re.compile(r"(HF|OPENAI|MODELSCOPE|USE_MODELSCOPE|CUDA|PIP)_\w+|(https?|all|no)_proxy", re.I)
"""Variables of the programs below us, which make hands on as they are."""
WORD = re.compile(
    r"call option,(\w+)|\$[({]([A-Z][A-Z_]*)\b|\$\$([A-Z][A-Z_]*)|foreach \w+,\$\((\w+)\)|\$\(if \$\((\w+)\)"
)


def taken(makefile: str, targets: list) -> set:
    """Return the variables that any of the targets takes."""
    macros = dict(re.findall(r"^(\w+) [?:]?= (.*)$", makefile, re.M))
    rules = {
        name: (needs.split("##")[0].split(), body)
        for name, needs, body in re.findall(r"^([a-z][\w-]*):(.*)\n((?:\t.*\n?)*)", makefile, re.M)
    }
    found, left = set(macros) | set(macros.get("MACHINE", "").split()), list(targets)
    while left:
        needs, body = rules.get(left.pop(), ([], ""))
        left += needs
        texts = [body]
        while texts:
            for name in filter(None, (word for words in WORD.findall(texts.pop()) for word in words)):
                found.add(name)
                texts += [macros[name]] if name in macros else []
    return found


def problems(makefile: str, targets: list, given: list) -> list:
    """Return one line for each variable that was given and is not taken."""
    known = taken(makefile, re.findall(r"^([a-z][\w-]*):", makefile, re.M))
    takes = taken(makefile, targets)
    said = []
    for name in given:
        if name in takes or OTHERS.fullmatch(name):
            continue
        if name in known:
            said.append(f"make {' '.join(targets)} does not take {name}")
            continue
        near = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.5)
        said.append(f"there is no variable {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return said


def main() -> None:
    """Check the command line of make."""
    makefile = MAKEFILE.read_text(encoding="utf-8")
    targets = sys.argv[1].split() or ["help"]
    said = problems(makefile, targets, sys.argv[2:])
    if said:
        takes = sorted(taken(makefile, targets) - taken(makefile, []))
        print("error: " + "; ".join(said), file=sys.stderr)
        print(f"  next: make {' '.join(targets)} takes {', '.join(takes) or 'none'}", file=sys.stderr)
        print("wrong")


if __name__ == "__main__":
    main()
