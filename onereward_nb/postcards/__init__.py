"""The Postcard world: a small drawn world with ground truth, its examples, its oracle and its training."""

from .examples import Example, example
from .rendering import render
from .scenes import Scene, Thing, make_scene

__all__ = ["Example", "Scene", "Thing", "example", "make_scene", "render", "score", "score_all"]


def __getattr__(name):
    if name in ("score", "score_all"):  # needs torch, which drawing does not
        from . import oracle

        return getattr(oracle, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
