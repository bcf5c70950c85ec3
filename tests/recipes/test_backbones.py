"""The backbones as data: every entry is whole and right as far as it can be told without torch."""

import re
from pathlib import Path

import pytest
import yaml

from common.errors import UserError
from recipes.catalog import catalog
from recipes.catalog.catalog import HERE, Backbone, Shape, backbones
from recipes.catalog.lookup import find_backbone, find_hardware
from recipes.listing import details, listing
from recipes.prepare.prepare import correct, model_path, preparation
from tests.model_tables import backbone_table

NAMES = sorted(backbones())
FILES = sorted((HERE / "backbones").glob("*.yaml"))


def test_the_backbones_of_the_assignment_are_there() -> None:
    assert {"llama2-7b", "llama2-13b", "llama2-70b", "phoenix-7b", "baichuan2-7b", "baichuan2-13b"} <= set(NAMES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_names_models_and_says_what_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert set(yaml.safe_load(text)) <= {"defaults", "models"}


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_is_whole(name: str) -> None:
    backbone = backbones()[name]
    assert re.fullmatch(r"[a-z0-9.-]+", name)
    assert backbone.hub.count("/") == 1
    assert backbone.architecture
    assert backbone.context >= 2048
    assert backbone.licence
    assert backbone.shape is not None
    assert backbone.template or preparation(backbone).probe.user, "no template, and none is put into its folder"


def test_every_shape_has_as_many_weights_as_its_makers_state() -> None:
    stated = yaml.safe_load(Path(__file__).with_name("stated_weights.yaml").read_text(encoding="utf-8"))
    assert set(stated) == set(NAMES)
    for name, billions in stated.items():
        shape = backbones()[name].shape
        assert shape is not None
        # the makers' figures have two or three digits; a wrong layer, width or head is off by more
        assert shape.parameters / 1e9 == pytest.approx(billions, rel=0.025), name


def test_the_weights_of_a_shape_are_those_of_its_matrices() -> None:
    dense = Shape(layers=2, hidden=8, mlp=16, heads=2, kv_heads=1, vocabulary=100)
    assert dense.parameters == 2 * (2 * 8 * 4 * 3 + 3 * 8 * 16) + 2 * 100 * 8
    mixture = dense.model_copy(update={"experts": 4, "active": 2, "embedding": 10})
    assert mixture.parameters == 2 * (2 * 8 * 4 * 3 + 4 * 3 * 8 * 16) + 100 * (10 + 8)
    assert mixture.model_copy(update={"total": 5000}).parameters == 5000


def test_no_two_share_a_repository() -> None:
    hubs = [backbone.hub.lower() for backbone in backbones().values()]
    assert len(hubs) == len(set(hubs))


def test_a_hub_id_of_a_known_backbone_is_that_backbone() -> None:
    assert find_backbone("qwen/qwen3-8b").name == "qwen3-8b"


def test_any_other_hub_id_takes_its_template_from_its_tokenizer() -> None:
    backbone = find_backbone("some-org/Some-Model-7B")
    assert (backbone.hub, backbone.template, model_path(backbone)) == ("some-org/Some-Model-7B", None, backbone.hub)


def test_a_hub_id_that_llamafactory_knows_has_its_template_from_there() -> None:
    backbone = find_backbone("Qwen/Qwen2.5-Coder-7B-Instruct")
    assert (backbone.hub, backbone.template) == ("Qwen/Qwen2.5-Coder-7B-Instruct", "qwen")
    thinking = find_backbone("Qwen/Qwen3-30B-A3B")
    assert (thinking.template, thinking.thinks) == ("qwen3", True)
    assert not find_backbone("Qwen/Qwen3-30B-A3B-Instruct-2507").thinks
    assert find_backbone("Qwen/Qwen2.5-7B").template is None, "a base model has no format"


def test_a_local_folder_is_taken_when_it_can_be_a_model(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no config\.json"):
        find_backbone(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"has no tokenizer_config\.json"):
        find_backbone(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UserError, match="has no weights"):
        find_backbone(str(tmp_path))
    (tmp_path / "model.safetensors").write_text("")
    assert model_path(find_backbone(str(tmp_path))) == str(tmp_path)
    assert not find_backbone(str(tmp_path)).thinks
    (tmp_path / "chat_template.jinja").write_text("{{ '<think>' }}")
    assert find_backbone(str(tmp_path)).thinks


def test_a_folder_that_is_not_there_is_told_so() -> None:
    with pytest.raises(UserError, match=r"there is no model folder \./nowhere/at-all"):
        find_backbone("./nowhere/at-all")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        find_backbone("baichuan-7b")
    assert "did you mean baichuan2-7b?" in caught.value.hint


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty recipes/backbones folder to write a file into."""
    monkeypatch.setattr(catalog, "HERE", tmp_path)
    backbones.cache_clear()
    (tmp_path / "backbones").mkdir()
    yield tmp_path / "backbones" / "own.yaml"
    backbones.cache_clear()


def test_a_new_backbone_is_one_entry(own_file: Path) -> None:
    own_file.write_text("models:\n  own-1b: {hub: org/Own-1B, template: chatml}\n")
    assert find_backbone("own-1b") == Backbone(name="own-1b", hub="org/Own-1B", template="chatml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "models:\n  a: {hubb: x, licens: y}\n",
            "unknown key 'hubb'; did you mean hub.*\n.*unknown key 'licens'; did you mean licence",
        ),
        ("models:\n  a: {hub: org/a, shape: {layers: 2, width: 3}}\n", "shape: .*width"),
        ("default: {}\nmodels: {}\n", "unknown key 'default'"),
        ("models: [a\n", "is not YAML"),
        ("- a\n", "must be a mapping"),
    ],
)
def test_mistakes_in_an_entry_are_named(own_file: Path, text: str, message: str) -> None:
    own_file.write_text(text)
    with pytest.raises(UserError, match=message):
        dict(backbones())


def test_the_modelscope_switch_of_llamafactory_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_MODELSCOPE_HUB", "1")
    assert model_path(find_backbone("llama2-7b")) == "modelscope/Llama-2-7b-chat-ms"
    assert model_path(find_backbone("org/any")) == "org/any"


def test_the_documentation_shows_the_set_as_it_is() -> None:
    text = (HERE.parent / "docs" / "backbones.md").read_text(encoding="utf-8")
    table = text.split("<!-- table: python -m tests.model_tables backbones -->\n")[1].split("\n<!-- end of table -->")[
        0
    ]
    assert table == backbone_table(), "python -m tests.model_tables backbones makes it anew"
    assert set(re.findall(r"^  (\S+)  +[\d.]+[BM] ", listing(), re.M)) == set(NAMES)


def test_one_backbone_is_shown_in_full() -> None:
    shown = details(find_backbone("baichuan2-13b"))
    for fact in ("baichuan-inc/Baichuan2-13B-Chat, revision main", "W_pack,o_proj", "bfloat16", "models/baichuan2-13b"):
        assert fact in shown
    assert "Qwen/Qwen2.5-Coder-7B-Instruct" in details(find_backbone("Qwen/Qwen2.5-Coder-7B-Instruct"))


def test_hardware_is_found_by_the_name_of_a_card() -> None:
    with pytest.raises(UserError) as caught:
        find_hardware("A100")
    assert "HARDWARE=40gb or 80gb" in caught.value.hint


def test_a_twin_is_corrected_as_its_backbone_would_be(tmp_path: Path) -> None:
    (tmp_path / "special_tokens_map.json").write_text("{}")
    for name in ("tokenizer_config.json", "config.json"):
        (tmp_path / name).write_text("{}")
    correct(tmp_path, preparation(find_backbone("baichuan2-7b")))
    assert "<reserved_106>" in (tmp_path / "chat_template.jinja").read_text()
    assert not (tmp_path / "special_tokens_map.json").exists()
