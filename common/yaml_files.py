"""YAML that people write: a key that stands twice is an error, and 1e-4 is a number."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads plain values: texts, numbers, true and false, null, lists, mappings."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; an error where a key stands in it twice."""
        keys = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)[1]
            raise yaml.constructor.ConstructorError(None, None, f"{twice!r} stands there twice", node.start_mark)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), [*"-+.0123456789"]
)


def read_yaml(path: Path, kind: type = dict, hint: str = "correct that line, or see the files beside it") -> Any:
    """Return a YAML file's content; UserError when it is none, or not of this kind."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8", f"iconv -f gb18030 -t utf-8 {path} > new.yaml") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {error}", hint) from None
    if not isinstance(content, kind):
        raise UserError(f"{path} must be a {'mapping' if kind is dict else 'list'}", hint)
    return content


@cache
def patterns(path: Path, flags: re.RegexFlag = re.NOFLAG) -> dict[str, re.Pattern[str]]:
    """Return a YAML file's lists of regular expressions, each list as one; <name> stands for an entry above it."""
    made: dict[str, str] = {}
    for name, phrases in read_yaml(path).items():
        made[name] = re.sub(r"(?<!\?P)<(\w+)>", lambda word: made.get(word[1], word[0]), f"(?:{'|'.join(phrases)})")
    return {name: re.compile(pattern, flags) for name, pattern in made.items()}
