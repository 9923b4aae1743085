"""Lessons in looking: pairs of pictures with questions about what they show, answered by the scene.

Qwen2.5-VL has read and seen much before anybody teaches it to judge edits. The small reward model has not; it first
learns from these what things, colours and words look like, and to tell the first picture from the second.
"""

import numpy as np

from ..queries import NO, YES
from .rendering import render
from .scenes import make_scene

QUESTIONS = {
    "first": "What does the first picture show?",
    "second": "What does the second picture show?",
    "only first": "What does the first picture show that the second lacks?",
    "only second": "What does the second picture show that the first lacks?",
    "more": "Does the first picture show more than the second?",
}
NOTHING = "nothing"
SIZE = 128


def lesson(seed):
    """Two pictures of one scene, each without some of its things, and the answer to each of QUESTIONS.

    Returns uint8 (2, 128, 128, 3), and the answers in the order of QUESTIONS.
    """
    rng = np.random.default_rng([seed, 11])
    scene = make_scene(seed, ("sign",) if rng.random() < 0.5 else ())
    # each thing stands in both pictures, or in one of them
    lot = rng.choice(3, len(scene.things), p=(0.3, 0.35, 0.35))
    scenes = [scene, scene]
    for thing, place in zip(scene.things, lot, strict=True):
        if place:
            scenes[place - 1] = scenes[place - 1].without(thing)
    pictures = np.stack([np.asarray(render(each, SIZE)) for each in scenes])
    only = [[thing.phrase for thing in scene.things if thing not in other.things] for other in scenes[::-1]]
    more = YES if len(scenes[0].things) > len(scenes[1].things) else NO
    captions = [each.caption for each in scenes]
    return pictures, [*captions, *(" and ".join(names) or NOTHING for names in only), more]
