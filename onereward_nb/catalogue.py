"""A read-only mapping from names to entries that helps whoever mistypes a name."""

from collections.abc import Mapping
from difflib import get_close_matches


class UnknownName(KeyError, ValueError):
    """A name that a catalogue does not hold. The message lists the names and suggests the closest one."""

    __str__ = ValueError.__str__  # KeyError would show its message in quotes, escaped


class Catalogue(Mapping):
    """Entries by their `name`, in the order given.

    `kind` is the word for one entry in messages, e.g. "task". Looking up a name that is not there raises
    `UnknownName`.
    """

    def __init__(self, kind, entries):
        self._kind = kind
        self._entries = {entry.name: entry for entry in entries}

    def __getitem__(self, name):
        if name in self._entries:
            return self._entries[name]
        closest = get_close_matches(str(name), self._entries, n=1, cutoff=0.6)
        hint = f" Did you mean {closest[0]!r}?" if closest else ""
        raise UnknownName(f"There is no {self._kind} {name!r}.{hint} Known: {', '.join(self._entries)}.")

    def __iter__(self):
        return iter(self._entries)

    def __len__(self):
        return len(self._entries)

    def __repr__(self):
        return f"<{len(self)} {self._kind}s: {', '.join(self)}>"
