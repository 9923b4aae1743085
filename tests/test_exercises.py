"""Self-checks accept right answers and say what is wrong with plausible wrong ones."""

import pytest

from onereward_nb import masks, postcards
from onereward_nb.exercises import verdict
from onereward_nb.exercises.edits import check_edit, check_mask


@pytest.fixture(scope="module")
def removal():
    return next(
        example
        for example in (postcards.example("removal", seed) for seed in range(1_000_000, 1_000_100))
        if masks.coverage(example.mask) < 0.15 and postcards.score(example, example.target)["outside"] == 0
    )


@pytest.fixture(scope="module")
def fill():
    return postcards.example("fill", 1_000_010)


def test_the_examples_own_mask_is_right(removal, capsys):
    assert check_mask(removal.mask, removal)
    assert capsys.readouterr().out.startswith("Right: ")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (masks.invert, "invert it"),
        (lambda mask: masks.shrink(mask, 12), "grow or move it"),
        (lambda mask: masks.grow(mask, 40), "draw it closer"),
        (lambda mask: mask.resize((64, 64)), "they must match"),
    ],
)
def test_wrong_masks_are_told_what_is_wrong(removal, spoil, words, capsys):
    assert not check_mask(spoil(removal.mask), removal)
    said = capsys.readouterr().out
    assert said.startswith("Not yet: ") and words in said


def test_the_truth_is_a_right_edit(fill, capsys):
    assert check_edit(fill.target, fill)
    assert fill.prompt in capsys.readouterr().out


def test_doing_nothing_is_no_edit(fill, capsys):
    assert not check_edit(fill.image, fill)
    assert "text alignment at 0.00" in capsys.readouterr().out


def test_changing_what_is_not_masked_is_no_edit(fill, capsys):
    assert not check_edit(fill.target.point(lambda value: min(255, value + 9)), fill)
    assert "outside the mask changed" in capsys.readouterr().out


def test_another_size_is_no_edit(fill, capsys):
    assert not check_edit(fill.target.resize((64, 64)), fill)
    assert "keep its size" in capsys.readouterr().out


def test_a_long_verdict_is_broken_between_words(monkeypatch, capsys):
    monkeypatch.setattr(verdict, "WIDTH", 40)
    why = "where HO, HI was read and HI, HI asked for, the shares are 1.00, 0.50"
    assert not verdict.verdict(False, why)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1 and max(map(len, lines)) <= 40
    assert " ".join(lines) == f"Not yet: {why}."
