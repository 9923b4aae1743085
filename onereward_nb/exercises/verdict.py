"""How every self-check ends."""


def verdict(right, why):
    """Print whether an answer is right, and why. Returns `right`."""
    print(("Right: " if right else "Not yet: ") + why + ".")
    return right
