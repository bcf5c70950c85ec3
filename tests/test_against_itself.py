"""A model that answers twice, under two names, comes out even: a twin of every family, as LLaMA-Factory serves it."""

from pathlib import Path

import pytest
import yaml

from eval.judging.reference_judge import judge_all
from eval.records.answers import Answer
from eval.records.judgments import pairings
from eval.records.questions import bundled, load_questions
from eval.statistics.outcomes import counts, outcomes, scored
from recipes.catalog.catalog import HERE, backbones
from recipes.prepare.prepare import correct, preparation
from recipes.recipe import Recipe
from recipes.rehearsal.twins import make_twin
from recipes.render import serve_choices
from tests.recipes.test_published_formats import recipe_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_templates")]
CANNOT = {
    "gpt-oss",  # LLaMA-Factory loads a kernel for it that this transformers has not
    "minicpm4",  # its code comes from the hub
}
FAMILIES = sorted({path.stem for path in (HERE / "backbones").glob("*.yaml")} - CANNOT)
QUESTIONS = load_questions(bundled("medical_en"), 2) + load_questions(bundled("medical_zh"), 2)


def family(stem: str) -> str:
    return next(iter(yaml.safe_load((HERE / "backbones" / f"{stem}.yaml").read_text(encoding="utf-8"))["models"]))


def answers(recipe: Recipe, folder: Path, who: str) -> dict[str, Answer]:
    """Load the model that `serve/base.yaml` names, and ask it everything as the server does."""
    from llamafactory.chat import ChatModel

    settings = {key: choice.value for key, choice in serve_choices(recipe, "base").items()}
    model = ChatModel(settings | {"model_name_or_path": str(folder), "infer_dtype": "float32"})
    given = {}
    for question in QUESTIONS:
        (reply,) = model.chat([{"role": "user", "content": question.text}], temperature=0.0, max_new_tokens=12)
        given[question.id] = Answer(question.id, who, question.text, reply.response_text)
    return given


@pytest.mark.parametrize("stem", FAMILIES)
def test_it_says_the_same_and_wins_half(stem: str, tmp_path: Path) -> None:
    name = family(stem)
    folder = make_twin(backbones()[name], tmp_path / "twin")
    correct(folder, preparation(backbones()[name]))
    both = {who: answers(recipe_of(name), folder, who) for who in ("base", "again")}
    texts = [[given[question.id].answer for question in QUESTIONS] for given in both.values()]
    assert texts[0] == texts[1]
    assert any(texts[0]) or stem in ("granite3", "hunyuan", "phoenix"), "whose random weights end at once"
    judged = judge_all(pairings(QUESTIONS, both, [("again", "base")]))
    result = counts(list(scored(outcomes(judged, "again", "base")).values()))
    assert (result["ties"], result["win_rate"]) == (len(QUESTIONS), 0.5)
