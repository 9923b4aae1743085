"""What a reward model is asked: the wording, and how two pictures and a question become one sequence.

Source: Gong et al., OneReward, arXiv 2508.21066, section 4.2: the query names the task and the dimension, and the
prompt for text alignment only. The paper's own wording is not published; this one is ours.
"""

from typing import NamedTuple

import torch

from .tasks import TASKS

NEEDS_PROMPT = ("text alignment", "text rendering")
YES, NO = "Yes", "No"


def query(task, dimension, prompt=None):
    """The question whether the first of two edits is the better one.

    task: an entry of `TASKS` or its name. dimension: one of the task's. prompt: what was asked for. It is part of the
    question for text alignment only, as in the paper, and for text rendering, which the paper's reward model has no
    row for: which word is right can be told by the prompt alone. Elsewhere it is left out.

    ValueError for a dimension that the task is not judged by, and for a prompt that is missing.
    """
    task = TASKS[getattr(task, "name", task)]
    if dimension not in task.dimensions:
        raise ValueError(
            f"{task.name!r} is not judged by {dimension!r}, but by: {', '.join(task.dimensions)}. "
            "Choose one of these."
        )
    asked = ""
    if dimension in NEEDS_PROMPT:
        if not prompt:
            raise ValueError(f"{dimension!r} needs the prompt of the edit: pass prompt=...")
        asked = f" The prompt: {task.prompt_for(prompt)}."
    return (
        f"Two edits of one picture. The task: {task.does}.{asked} "
        f"Is the first better than the second in {dimension}? Answer {YES} or {NO}."
    )


def every_query():
    """Each task and dimension asked once: all words of the wording."""
    for task in TASKS.values():
        for dimension in task.dimensions:
            yield query(task, dimension, "a red ball")


class Script(NamedTuple):
    """A question in the model's chat format, as token ids: [head] picture [between] picture [tail]. int64, 1-D each."""

    head: torch.Tensor
    between: torch.Tensor
    tail: torch.Tensor


def script(tokenizer, question):
    """The sequence for a question after two pictures, up to where the answer begins."""
    content = [{"type": "image"}, {"type": "image"}, {"type": "text", "text": question}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    parts = text.split("<|image_pad|>")
    if len(parts) != 3:
        raise ValueError(
            f"the tokenizer's chat template made {len(parts) - 1} places for two pictures: "
            "load a tokenizer of Qwen2.5-VL"
        )
    ids = (tokenizer(part, add_special_tokens=False).input_ids for part in parts)
    return Script(*(torch.tensor(each, dtype=torch.int64) for each in ids))


def answers(tokenizer):
    """The token ids of Yes and No. ValueError if they are not one token each: then no single logit answers."""
    ids = [tokenizer(word, add_special_tokens=False).input_ids for word in (YES, NO)]
    if [len(each) for each in ids] != [1, 1] or ids[0] == ids[1] or [tokenizer.unk_token_id] in ids:
        raise ValueError(
            f"this tokenizer spells {YES!r} as {ids[0]} and {NO!r} as {ids[1]}: a reward model needs one known token "
            "for each answer"
        )
    return ids[0][0], ids[1][0]


def padded(tails):
    """Tails of different length as one int64 tensor (n, longest), filled up at the end, and the place of each last token.

    What fills up comes after the last token, which looks back only: it changes nothing.
    """
    lengths = torch.tensor([len(tail) for tail in tails])
    filled = torch.nn.utils.rnn.pad_sequence(tails, batch_first=True)
    return filled, lengths - 1


def positions(head, first_grid, between, second_grid, tail, device=None):
    """Where each token of a sequence stands: (3, length), in time, row and column.

    head, between, tail: numbers of text tokens; the grids: (rows, columns) of the pictures' tokens. Text counts on in
    all three. A picture stands still in time and counts its rows and columns from there; what follows goes on beyond
    its longer side.
    """
    parts, start = [], 0
    for length, grid in ((head, first_grid), (between, second_grid), (tail, None)):
        parts.append(start + torch.arange(length, device=device).expand(3, -1))
        start += length
        if grid:
            sides = (torch.arange(side, device=device) for side in grid)
            rows, columns = torch.meshgrid(*sides, indexing="ij")
            parts.append(start + torch.stack([torch.zeros_like(rows), rows, columns]).flatten(1))
            start += max(grid)
    return torch.cat(parts, dim=1)


def read(model, head, first, between, second, tails):
    """What the language model makes of two pictures and the text around them.

    Args:
        model: a Qwen2_5_VLForConditionalGeneration.
        head, between: token ids of the text before and between the pictures, 1-D.
        first, second: what was seen of each picture: tokens (n, t, width), and their grid (rows, columns).
        tails: token ids of the text after them, (n, length).

    Returns:
        The last hidden state of each token of the tails, (n, length, width).
    """
    embed = model.get_input_embeddings()
    count, length = tails.shape
    text = [embed(ids).expand(count, -1, -1) for ids in (head, between)]
    after = embed(tails)
    pictures = [tokens.to(after.dtype) for tokens, _ in (first, second)]
    places = positions(len(head), first[1], len(between), second[1], length, device=tails.device)
    hidden = model.model.language_model(
        inputs_embeds=torch.cat([text[0], pictures[0], text[1], pictures[1], after], dim=1),
        position_ids=places[:, None].expand(-1, count, -1),
        use_cache=False,
    ).last_hidden_state
    return hidden[:, -length:]


def yes_chance(model, hidden, yes_no):
    """P(Yes) against No, from the hidden state (n, width) of the token that they follow: (n,), float32."""
    yes, no = model.lm_head(hidden)[:, list(yes_no)].float().unbind(dim=1)
    return (yes - no).sigmoid()
