"""As much of Go's text/template as Ollama's chat templates here are made of: if, else if, range, variables, eq."""

import json
import re
from typing import Any

TOKENS = re.compile(r"\{\{ (.*?) \}\}", re.DOTALL)
Node = Any
"""Text, ("act", words) or ("if" | "range", [(condition, nodes), ...])."""


def render(template: str, system: str, messages: list[dict[str, str]]) -> str:
    """Render a template as Ollama does for a chat; `messages` hold the system message too."""
    nodes, rest = _parse(TOKENS.split(template))
    assert not rest, f"left over: {rest}"
    data = {"System": system, "Messages": [{"Role": m["role"], "Content": m["content"]} for m in messages]}
    return "".join(_run(nodes, data, {}))


def _parse(parts: list[str]) -> tuple[list[Node], list[str]]:
    """Return the nodes up to an `end` or `else` that belongs to the caller, and what follows."""
    nodes: list[Node] = []
    is_action = False
    while parts:
        part = parts.pop(0)
        if not is_action:
            nodes.append(part)
        elif part == "end" or part.startswith("else"):
            return nodes, [part, *parts]
        elif part.startswith(("if ", "range ")):
            kind, _, condition = part.partition(" ")
            branches = []
            inside, parts = _parse(parts)
            branches.append((condition, inside))
            while parts[0].startswith("else"):
                condition = parts.pop(0).removeprefix("else").strip().removeprefix("if ")
                inside, parts = _parse(parts)
                branches.append((condition or "true", inside))
            parts.pop(0)  # end
            nodes.append((kind, branches))
            is_action = True
        else:
            nodes.append(("act", part))
        is_action = not is_action
    return nodes, []


def _run(nodes: list[Node], dot: Any, variables: dict[str, Any]) -> list[str]:
    out: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            out.append(node)
            continue
        kind, what = node
        if kind == "act":
            assigned = re.fullmatch(r"(\$\w+) :?= (.*)", what)
            if assigned:
                variables[assigned[1]] = _value(assigned[2], dot, variables)
            else:
                out.append(str(_value(what, dot, variables)))
        elif kind == "if":
            taken = next((inside for condition, inside in what if _value(condition, dot, variables)), [])
            out += _run(taken, dot, variables)
        else:
            for item in _value(what[0][0], dot, variables):
                out += _run(what[0][1], item, variables)
    return out


def _value(words: str, dot: Any, variables: dict[str, Any]) -> Any:
    if words.startswith("eq "):
        _, left, right = words.split(" ", 2)
        return _value(left, dot, variables) == _value(right, dot, variables)
    if words.startswith("."):
        return dot[words[1:]]
    if words.startswith("$"):
        return variables[words]
    return json.loads(words)
