"""What "make growth" says of figures, and how tables come into a document."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import document  # noqa: E402
import growth  # noqa: E402


@pytest.mark.parametrize("sizes, values, word", [
    ([1, 100, 10_000], [500, 505, 510], "flat"),
    ([1, 100, 10_000], [500, 560, 620], "logarithmic"),
    ([1, 100, 10_000], [3_500, 7_000, 353_000], "linear"),
    ([1, 32, 1000], [1_200, 1_230, 2_200], "linear"),
    ([64, 1024, 8192], [1_000, 900, 700], "falls"),
    ([64, 1024, 8192], [100, 140, 170], "logarithmic"),
    ([64, 1024, 8192], [100, 200, 950], "linear"),
    ([64, 1024, 8192], [None, 200, 200], "flat"),
    ([64, 1024, 8192], [None, 200, 300], "grows"),
    ([64, 1024, 8192], [None, None, 300], "-"),
])
def test_words(sizes, values, word):
    assert growth.judge(sizes, values) == word


def test_document(tmp_path):
    path = tmp_path / "figures.md"
    path.write_text("before\n<!-- make growth: begin -->\nold\n<!-- make growth: end -->\nbehind\n")
    for _ in range(2):
        document.write_part(path, "make growth", [("Title:", [["row", "figure"], ["touch", "1"]])])
    assert path.read_text() == ("before\n<!-- make growth: begin -->\nTitle:\n\n| row | figure |\n| --- | ---: |\n"
                                "| touch | 1 |\n<!-- make growth: end -->\nbehind\n")
    with pytest.raises(OSError, match="has no part"):
        document.write_part(path, "make bench", [])
