"""SET is read as a user means it."""

import pytest

from common.errors import UserError
from common.overrides import parse_settings


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", {}),
        ("learning_rate=1e-4", {"learning_rate": 1e-4}),
        ("a=1 b=1.5 c=true d=null e=text", {"a": 1, "b": 1.5, "c": True, "d": None, "e": "text"}),
        ('a="x y" b=[1,2] c=k=v', {"a": "x y", "b": [1, 2], "c": "k=v"}),
        ("a=", {"a": None}),
        ("lora_target=q_proj,v_proj", {"lora_target": "q_proj,v_proj"}),
    ],
)
def test_values_get_their_types(text, settings):
    assert parse_settings(text) == settings


def test_all_that_is_no_pair_is_named_at_once():
    with pytest.raises(UserError, match="'oops', '=3'"):
        parse_settings("a=1 oops =3")


def test_an_open_quote_is_an_error_of_the_user():
    with pytest.raises(UserError, match="SET cannot be read"):
        parse_settings('a="x')
