"""Which judge: a name on the command line becomes a judge."""

from urllib.parse import urlsplit

from common.errors import UserError
from common.llm.client import Endpoint
from common.llm.default_judge import auto_judge
from eval.judging.model_judge import ModelJudge
from eval.judging.prompt import Style

JUDGE_TOKENS = 1024


def judge_names(wanted: tuple[str, ...]) -> list[str]:
    """Return the judges to use; `auto` is JUDGE_MODEL when there is a key or a URL, else the offline stand-in."""
    names = [name for names in wanted for name in names.replace(",", " ").split()] or ["auto"]
    return list(dict.fromkeys(auto_judge() if name == "auto" else name for name in names))


def model_judges(
    names: list[str], style: Style, temperature: float, max_tokens: int, *, needs_key: bool = True
) -> list[ModelJudge]:
    """Build judges from `model` or `model@url`; the style is part of a judge's name, so that files do not mix."""
    judges: dict[str, ModelJudge] = {}
    for name in names:
        model, _, url = name.partition("@")
        if not model or model == "panel" or model.startswith("human"):
            raise UserError(
                f"{name!r} cannot name a judge", "write JUDGE=gpt-4o-mini or JUDGE=model@http://host:8000/v1"
            )
        endpoint = Endpoint.from_environment(model, url, needs_key=needs_key)
        called = model + ("+guided" if style.guided else "") + ("+structured" if style.structured else "")
        if called in judges:  # the same model at another place
            called += f"@{urlsplit(endpoint.url).netloc}"
        judges[called] = ModelJudge(called, endpoint, style, {"temperature": temperature, "max_tokens": max_tokens})
    return list(judges.values())
