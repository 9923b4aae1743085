"""The small tokenizers: words outside quotation marks, letters inside, nothing a prompt needs unknown."""

import numpy as np
import pytest
from transformers import AutoTokenizer

from onereward_nb.postcards import make_scene
from onereward_nb.postcards.examples import words_prompt
from onereward_nb.postcards.scenes import LETTERS
from onereward_nb.postcards.text import MAX_LENGTH, make_tokenizer
from onereward_nb.postcards.train.data import scene_edits
from onereward_nb.tasks import TASKS

T5, CLIP = make_tokenizer(with_bos=False), make_tokenizer(with_bos=True)


def tokens(prompt, tokenizer=T5):
    return tokenizer.convert_ids_to_tokens(tokenizer(prompt).input_ids)


def test_words_outside_quotation_marks_and_letters_inside():
    assert tokens('a red sign "HI", a car on snow') == [
        *["a", "red", "sign", '"', "H", "I", '"', ",", "a", "car", "on", "snow", "<eos>"]
    ]


def test_clip_starts_with_bos_and_both_share_their_vocabulary():
    assert tokens("a red ball", CLIP) == ["<bos>", *tokens("a red ball")]
    assert T5.get_vocab() == CLIP.get_vocab()
    assert (T5.pad_token_id, T5.eos_token_id, T5.bos_token_id, T5.unk_token_id) == (0, 1, 2, 3)


@pytest.mark.parametrize(
    "typed",
    [
        'The Words "hi"',
        'THE WORDS "HI"',
        'the  words "Hi" ',
        "the words “hi”",
        "the words „HI“",
        "the words «hI»",
    ],
)
def test_capitals_spaces_and_curly_quotes_make_no_difference(typed):
    assert tokens(typed) == tokens('the words "HI"')


def test_any_word_in_any_case_is_spelled_letter_by_letter():
    rng = np.random.default_rng(3)
    for _ in range(50):
        word = "".join(rng.choice(list(LETTERS + LETTERS.lower()), rng.integers(1, 9)))
        assert tokens(f'a blue sign "{word}" by day') == [
            *["a", "blue", "sign", '"', *word.upper(), '"', "by", "day", "<eos>"]
        ]


def test_two_quotations_in_one_prompt():
    assert tokens('a red sign "AB" and a Red sign "cd"') == [
        *["a", "red", "sign", '"', "A", "B", '"', "and", "a", "red", "sign", '"', "C", "D", '"', "<eos>"]
    ]


def test_unknown_words_become_unk_and_leave_the_rest_alone():
    assert tokens("a red elephant on 3 balls!") == [
        *["a", "red", "<unk>", "on", "<unk>", "<unk>", "<unk>", "<eos>"]
    ]
    assert tokens("") == ["<eos>"]


def test_captions_and_prompts_of_the_world_are_known_and_fit():
    for seed in range(300):
        scene = make_scene(seed, ("sign",))
        sign = next(thing for thing in scene.things if thing.kind == "sign")
        for prompt in (scene.caption, words_prompt(sign), *(thing.phrase for thing in scene.things)):
            assert "<unk>" not in tokens(prompt)
            assert len(tokens(prompt, CLIP)) <= MAX_LENGTH, prompt


def test_training_prompts_are_known():
    prompts = {prompt for seed in range(60) for _, _, prompt in scene_edits(seed)[1]}
    assert not [prompt for prompt in prompts if "<unk>" in tokens(prompt)]


def test_fixed_prompts_have_tokens_of_their_own():
    """Each is told apart from every other prompt, though no training caption uses their words."""
    known = set(
        tokens("a house and the ball, the sky words on grass at sunset by night, blurry, low quality")
    )
    for prompt in ("remove", "high-definition, perfect composition", "nsfw"):
        new = set(tokens(prompt)) - known
        assert new and "<unk>" not in new
    assert {TASKS["removal"].prompt, TASKS["extend-no-prompt"].prompt} == {
        "remove",
        "high-definition, perfect composition",
    }
    assert tokens("high-definition, perfect composition") == [
        *["high", "-", "definition", ",", "perfect", "composition", "<eos>"]
    ]


def test_prompts_too_long_are_cut_and_still_end():
    ids = T5("a red ball, " * 40, truncation=True, padding="max_length", max_length=MAX_LENGTH).input_ids
    assert len(ids) == MAX_LENGTH == T5.model_max_length and ids[-1] == T5.eos_token_id


@pytest.mark.parametrize("tokenizer", [T5, CLIP], ids=["t5", "clip"])
def test_saved_and_loaded_it_is_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    prompts = ['a Red sign "hi", a car on snow', "remove", "the words “ABCD”", "an unknown word", ""]
    settings = {"padding": "max_length", "max_length": MAX_LENGTH, "truncation": True}
    assert loaded(prompts, **settings).input_ids == tokenizer(prompts, **settings).input_ids
    assert loaded.model_max_length == MAX_LENGTH and loaded.get_vocab() == tokenizer.get_vocab()
