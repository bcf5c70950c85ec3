"""Texts out of templates."""

from pathlib import Path

import jinja2
import pytest

from common.templates import fill


def test_a_line_of_logic_leaves_no_blank_and_an_unknown_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("{% for n in numbers %}\n  {{ n }}\n{% endfor %}\nend\n")
    assert fill(tmp_path / "a.txt", numbers=[1, 2]) == "  1\n  2\nend\n"
    with pytest.raises(jinja2.UndefinedError, match="numbers"):
        fill(tmp_path / "a.txt")
