"""Which language a text is in, and which rows are in the wrong one."""

import pytest

from converters.text.language import label, shares, wrong_language


@pytest.mark.parametrize(
    ("text", "language", "right"),
    [
        ("The defendant owed a duty of care to the plaintiff and breached it in the course of his work.", "en", True),
        ("Le défendeur avait une obligation de prudence envers la victime et il ne l'a pas respectée dans le cadre de son travail pour vous.", "en", False),  # noqa: E501
        ("根据《民法典》的规定，当事人可以解除合同并请求赔偿损失。", "zh", True),
        ("患者长期服用 metformin 和 atorvastatin，空腹血糖 6.1 mmol/L，建议复查。", "zh", True),
        ("The defendant owed a duty of care to the plaintiff and breached it.", "zh", False),
        ("これは日本語の文章です。契約を解除することができますか。", "zh", False),
        ("Ответчик обязан возместить убытки, причинённые нарушением договора.", "en", False),
        ("B. 42", "zh", True),
        ("D", "en", True),
    ],
)  # fmt: skip
def test_wrong_languages_are_told(text, language, right):
    assert (wrong_language(text, shares(text), language) == "") == right


def test_the_language_mix_is_named():
    texts = [
        "根据规定当事人可以解除合同并请求赔偿全部损失的权利。",
        "The court is of the opinion that it is not for them to say what the law should be in this case or that it was wrong by its own words.",  # noqa: E501
        "42",
    ]
    assert [label(text, shares(text)) for text in texts] == ["zh", "en", "none"]
