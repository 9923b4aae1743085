"""The Postcard world: a small drawn world with ground truth, its examples, its oracle and its training."""

from .examples import Example, example
from .rendering import render
from .scenes import Scene, Thing, make_scene

__all__ = ["Example", "Scene", "Thing", "example", "make_scene", "render"]
