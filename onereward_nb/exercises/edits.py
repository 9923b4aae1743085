"""Self-checks that notebooks share: of a mask, and of an edit."""

import numpy as np

from ..images import as_mask, upright
from .verdict import verdict


def check_mask(mask, example):
    """Does a mask cover what has to change in an example, and little else?"""
    mask = as_mask(mask)
    if mask.size != example.image.size:
        return verdict(False, f"the mask is {mask.size}, the picture {example.image.size}: they must match")
    before, after = (np.asarray(upright(picture), int) for picture in (example.image, example.target))
    changes = np.abs(before - after).max(axis=2) > 12
    painted = np.asarray(mask) > 0
    covered = (painted & changes).sum() / changes.sum()
    excess = painted.sum() / changes.sum()
    if covered < 0.5 and (~painted & changes).sum() / changes.sum() > 0.5 and painted.mean() > 0.5:
        return verdict(False, "the mask is white where the picture should stay: invert it")
    if covered < 0.98:
        return verdict(
            False, f"the mask covers {covered:.0%} of the pixels that have to change: grow or move it"
        )
    if excess > 6:
        return verdict(
            False, f"the mask is {excess:.0f} times as large as what has to change: draw it closer"
        )
    return verdict(True, "the mask covers all that has to change, and little else")


def check_edit(image, example):
    """Is an edit what its example asked for, by the oracle of the Postcard world, and everything else untouched?"""
    from ..postcards import score

    image = upright(image)
    if image.size != example.image.size:
        return verdict(False, f"the picture is {image.size}, it was {example.image.size}: keep its size")
    result = score(example, image)
    if result["outside"] > 0:
        return verdict(
            False, f"{result['outside']:.0%} of the pixels outside the mask changed: only the mask may"
        )
    if not result["success"]:
        scores = {name: value for name, value in result.items() if name not in ("success", "outside")}
        weakest = min(scores, key=scores.get)
        return verdict(
            False,
            f"this is not what {example.prompt!r} asks for; weakest: {weakest} at {scores[weakest]:.2f}",
        )
    return verdict(True, f"the oracle finds {example.prompt} where it belongs")
