"""Numbers in prose are bound to outputs."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from onereward_nb.prose import numbers, unbound_numbers


def notebook(text, code="", printed="", alt=""):
    outputs = [new_output("stream", text=printed)]
    outputs += [new_output("display_data", {"image/png": ""}, metadata={"image/png": {"alt": alt}})]
    return new_notebook(cells=[new_markdown_cell(text), new_code_cell(code, outputs=outputs)])


def unbound(*args, **kwargs):
    return [number for _, number in unbound_numbers(notebook(*args, **kwargs))]


@pytest.mark.parametrize(
    "text",
    [
        "`steps = 28` and ``a `7` b``",
        "```python\nx = 3\n```",
        "$v = 4 v_1$ and $$\nx_0 = 2\n$$",
        "[OneReward, 2.5 times](https://arxiv.org/abs/2508.21066) ![a 3 by 4 grid](a4.png) https://x.org/7",
        "<details><summary style='margin: 3px'>Answer</summary></details> &#8203;",
        "## 3. Removal",
        "## 3.1 Removal",
        "1. draw\n2. run\n   3) look",
        "FLUX.1-Fill-dev, Qwen2.5-VL-7B, T5-XXL, bf16, x0, Apache-2.0",
        "Algorithm 1, Algorithms 1 and 2, arXiv 2508.21066, arXiv:2508.21066, Sections 3.1-3.2, Python 3.11",
        "notebooks 01, 02 and 11",
        "in 2025",
        "5 minutes, 10-15 min",
    ],
)
def test_what_says_where_or_when_is_exempt(text):
    assert numbers(text) == []


@pytest.mark.parametrize(
    "text, found",
    [
        ("It takes 0.8 s on 2 cores.", ["0.8", "2"]),
        ("a 128x96 picture", ["128", "96"]),
        ("from 20-45% of 11,900 examples", ["20", "45%", "11,900"]),
        ("(-0.5, +3)", ["0.5", "3"]),
        ("a 7B model, 4-bit", ["7", "4"]),
        ("## 3. Why 4 works", ["4"]),
        ("it costs $5 and $7", ["5", "7"]),
        ("**87 %** of 2048", ["87 %", "2048"]),
        ("in 40 seconds", ["40"]),
        ("see the table: 12 of them", ["12"]),
    ],
)
def test_every_other_number_counts(text, found):
    assert numbers(text) == found


def test_a_number_that_is_printed_is_bound():
    assert unbound("It takes 0.80 s and 11,900 steps.", printed="0.8 seconds, 11900 steps") == []
    assert unbound("In 3 of them.", alt="Bars: 3 of 4.") == []


def test_a_number_that_drifted_is_found():
    assert unbound("The loss is -10.7722.", printed="-10.7940") == ["10.7722"]


def test_digits_inside_another_number_bind_nothing():
    assert unbound("Only 28 of them.", printed="128 pixels, 0.28") == ["28"]


def test_a_percentage_may_be_printed_as_a_fraction():
    assert unbound("In 87% of cases.", printed="success 0.87") == []
    assert unbound("In 87% of cases.", printed="success 87.0%") == []
    assert unbound("In 87% of cases.", printed="87 cases") == ["87%"]


def test_a_setting_may_come_from_the_code_but_no_percentage():
    assert unbound("With 28 steps.", code="steps = 28") == []
    assert unbound("In 28% of cases.", code="steps = 28; share = 0.28") == ["28%"]


def test_an_output_that_is_not_compared_proves_nothing():
    cells = notebook("It takes 0.8 s.", printed="0.8")
    assert [number for _, number in unbound_numbers(cells, unchecked=lambda cell: True)] == ["0.8"]
