# mypy: ignore-errors
"""Stands for the tokenizer class that Baichuan2-13B's repository ships.

As there, the vocabulary is read after the base class has asked for it, so the pinned transformers cannot load it.
"""

from typing import Any

import sentencepiece
from transformers import PreTrainedTokenizer


class BaichuanTokenizer(PreTrainedTokenizer):
    """A sentencepiece tokenizer."""

    vocab_files_names = {"vocab_file": "tokenizer.model"}  # noqa: RUF012

    def __init__(self, vocab_file: str, **others: Any) -> None:
        super().__init__(**others)
        self.model = sentencepiece.SentencePieceProcessor(vocab_file)

    @property
    def vocab_size(self) -> int:
        """Pieces in the vocabulary."""
        return self.model.get_piece_size()

    def get_vocab(self) -> dict[str, int]:
        """Return every piece with its id."""
        return {self.model.id_to_piece(i): i for i in range(self.vocab_size)}
