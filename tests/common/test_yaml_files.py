"""YAML as people write it."""

from pathlib import Path

import pytest

from common.errors import UserError
from common.yaml_files import read_yaml


def test_an_exponent_is_a_number_in_a_list_too(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("rates: [1e-4, 2.5E+5, .5e1]\nname: 1e\n")
    assert read_yaml(tmp_path / "a.yaml") == {"rates": [1e-4, 2.5e5, 5.0], "name": "1e"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "'c' stands there twice"),
        ("{[a]: b}", "unhashable"),
        ("a: [", "is not YAML"),
        ("- a", "must be a mapping"),
        ("名".encode("gb18030"), "is not UTF-8"),
    ],
)
def test_what_is_wrong_is_one_line_of_the_users(tmp_path: Path, text: str | bytes, told: str) -> None:
    (tmp_path / "a.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=told):
        read_yaml(tmp_path / "a.yaml")
