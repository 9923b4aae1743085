"""What every self-check says in the end."""

import textwrap

WIDTH = 100  # characters: what a page of JupyterLab shows in one line


def verdict(right, why):
    """Print whether an answer is right, and why. Returns `right`."""
    words = ("Right: " if right else "Not yet: ") + why + "."
    print(textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False))
    return right
