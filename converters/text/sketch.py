"""Texts as hashed n-grams: for telling duplicates, near duplicates and contamination, fast and the same in any process.

All hashing is done on folded text: NFKC, lower case, letters and digits only.
"""

import functools
import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy

from converters.text.content import core
from converters.text.language import UNSPACED

Array = numpy.ndarray[Any, Any]
PRIME = numpy.uint64(0x9E3779B97F4A7C15)
PERMUTATIONS = 128
BANDS = 16
"""16 bands of 8: pairs of similarity 0.85 meet with 99 % probability, of 0.7 with 61 %; all are then compared."""
SEED = 42
ANCHOR_EVERY = 40
OTHER_THAN_THEMSELVES = (0, 0x3400), (0x4DB5, 0x4E00), (0x9FA6, 0xAC00), (0xD7A4, 0x10000)
"""All but Chinese characters and Korean syllables, each of which is folded to itself."""


@functools.cache
def _folding() -> Array:
    """Return for each code point of the basic plane what it is folded to; 0 for what is left out."""
    table = numpy.arange(0x10000, dtype=numpy.uint32)
    for first, end in OTHER_THAN_THEMSELVES:
        for point in range(first, end):
            folded = unicodedata.normalize("NFKC", chr(point)).lower()
            table[point] = next((ord(character) for character in folded if character.isalnum()), 0)
    return table


def fold(texts: list[str]) -> tuple[Array, Array]:
    """Return the folded code points of all texts in one array, and where each text begins (one more than texts)."""
    raw = numpy.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), numpy.uint32)
    ends = numpy.cumsum([len(text) for text in texts], dtype=numpy.int64)
    basic = raw < 0x10000
    folded = numpy.where(basic, _folding()[numpy.where(basic, raw, 0)], raw)
    kept = folded != 0
    counts = numpy.concatenate([[0], numpy.cumsum(kept)])
    return folded[kept], numpy.concatenate([[0], counts[ends]])


@dataclass(frozen=True)
class Grams:
    """Hashed n-grams of several texts: those of text i are values[starts[i]:starts[i + 1]]."""

    values: Array
    starts: Array


def first_of_runs(values: Array) -> Array:
    """Return a mask of the values that differ from the one before them."""
    mask = numpy.ones(len(values), bool)
    mask[1:] = values[1:] != values[:-1]
    return mask


def grams(folded: Array, starts: Array, size: int) -> Grams:
    """Hash every window of `size` (a power of two) code points; a shorter text has one gram, itself."""
    hashes = folded.astype(numpy.uint64) + numpy.uint64(1)
    power, width = PRIME, 1
    with numpy.errstate(over="ignore"):
        while width < size:
            # A window of 2w is two windows of w: log2(size) passes over the text instead of size.
            shifted = numpy.zeros_like(hashes)
            shifted[:-width] = hashes[width:]
            hashes = hashes * power + shifted
            power, width = power * power, width * 2
        hashes = _mixed(hashes)
    lengths = numpy.diff(starts)
    counts = numpy.maximum(lengths - size + 1, numpy.minimum(lengths, 1))
    ends = numpy.cumsum(counts)
    places = numpy.arange(ends[-1] if len(ends) else 0) + numpy.repeat(starts[:-1] - (ends - counts), counts)
    values = hashes[places]
    short = numpy.flatnonzero((lengths > 0) & (lengths < size))
    for text in short:
        values[ends[text] - 1] = _hash(folded[starts[text] : starts[text + 1]].tobytes())
    return Grams(values, numpy.concatenate([[0], ends]))


def _mixed(hashes: Array) -> Array:
    """Spread a polynomial hash over all bits (the finaliser of splitmix64)."""
    hashes = (hashes ^ (hashes >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    mixed: Array = hashes ^ (hashes >> numpy.uint64(31))
    return mixed


def _hash(content: bytes, salt: bytes = b"") -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8, key=salt).digest(), "little")


def digests(folded: Array, starts: Array, salt: bytes = b"") -> Array:
    """Return a 64-bit hash of each whole text."""
    bounds = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    return numpy.array([_hash(folded[start:end].tobytes(), salt) for start, end in bounds], numpy.uint64)


def anchors(folded: Array, starts: Array, size: int) -> tuple[Array, Array]:
    """Return a fixed sample of all texts' long n-grams, the same of the same run of letters, and how many each has.

    `size` is that of the n-grams for contamination; anchors are twice as long, one of ANCHOR_EVERY.
    """
    found = grams(folded, starts, 2 * size)
    chosen = found.values % numpy.uint64(ANCHOR_EVERY) == 0
    owners = numpy.repeat(numpy.arange(len(starts) - 1), numpy.diff(found.starts))[chosen]
    return found.values[chosen], numpy.bincount(owners, minlength=len(starts) - 1).astype(numpy.int32)


def content_hashes(texts: list[str], limits: tuple[int, int]) -> Array:
    """Return a 64-bit hash of each short text's content, 0 for a long one's."""
    cores = (core(text, limits).encode() for text in texts)
    return numpy.array([_hash(found) if found else 0 for found in cores], numpy.uint64)


def signatures(found: Grams) -> Array:
    """Return each text's MinHash signature: texts x PERMUTATIONS, uint32."""
    from rensa import RMinHash

    if len(found.starts) == 1:
        return numpy.zeros((0, PERMUTATIONS), numpy.uint32)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(
        found.values, found.starts.astype(numpy.uint64), PERMUTATIONS, SEED
    )
    return numpy.array(matrix.to_rows(), numpy.uint32)


def band_hashes(signature: Array) -> Array:
    """Return the hash of each band of each signature: texts x BANDS, uint32 (who shares one is compared anyway)."""
    bands = signature.reshape(len(signature), BANDS, PERMUTATIONS // BANDS).astype(numpy.uint64)
    mixed = numpy.zeros(bands.shape[:2], numpy.uint64)
    with numpy.errstate(over="ignore"):
        for column in range(bands.shape[2]):
            mixed = _mixed(mixed * PRIME + bands[:, :, column] + numpy.uint64(1))
    return (mixed >> numpy.uint64(32)).astype(numpy.uint32)


def gram_sizes(language: str) -> tuple[int, int]:
    """Return the n-gram lengths, in letters, for near duplicates and for contamination."""
    return (4, 8) if language in UNSPACED else (8, 16)
