"""How fast an edit can be: operations against a count by hand, and cards by name."""

import pytest

from onereward_nb import arithmetic, stand_in


def by_hand(picture, words, width, double, single, inputs, text, pooled):
    """FLOP of FLUX's transformer: two for each weight of a matrix and token, four for each pair of tokens in attention."""
    tokens = picture + words
    wide = width * width
    block = 2 * tokens * 12 * wide + 4 * tokens**2 * width  # q, k, v, out, and an MLP four times as wide
    modulation = 2 * (double * 12 + single * 3) * wide
    ends = 2 * picture * (inputs + 64) * width + 2 * words * text * width + 2 * 2 * wide
    embeddings = 2 * 2 * (256 * width + wide) + 2 * (pooled * width + wide)  # timestep, guidance, CLIP
    return (double + single) * block + modulation + ends + embeddings


def test_operations_are_those_counted_by_hand():
    expected = by_hand(4096, 512, 3072, 19, 38, 384, 4096, 768) / 1e12
    assert arithmetic.tera_a_pass(stand_in.full_size_parts, 1024) == pytest.approx(expected, rel=1e-3)
    assert expected == pytest.approx(74.4, abs=0.05)
    tiny = by_hand(16, 12, 32, 1, 1, 384, 32, 24) / 1e12
    assert arithmetic.tera_a_pass(stand_in.tiny_parts, 64, stand_in.TINY_PROMPT) == pytest.approx(
        tiny, rel=1e-3
    )


def test_cards_by_the_names_that_cuda_gives():
    assert arithmetic.data_sheet("NVIDIA H100 80GB HBM3") == 989
    assert arithmetic.data_sheet("NVIDIA A100-SXM4-40GB") == 312
    assert arithmetic.data_sheet("NVIDIA H100 PCIe") is None  # another card, a slower one
