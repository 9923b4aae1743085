"""Live mode: each stroke and each changed setting is answered by an edit, where edits are quick enough for it."""

from contextlib import contextmanager

PARAMETERS = 50e6  # of a transformer small enough to be tried live
SECONDS = 1.5  # the longest edit that still feels live


class Live:
    """Whether changes are answered now, and whether live mode was asked for or is only tried.

    answers: False while the program itself changes something.
    tried: True until somebody decides for or against live mode; so it begins for small models.
    """

    def __init__(self, pipe):
        self.answers = False
        self.tried = sum(each.numel() for each in pipe.transformer.parameters()) < PARAMETERS

    def decided(self):
        self.tried = False

    @contextmanager
    def unanswered(self):
        """Within the block nothing is answered."""
        before, self.answers = self.answers, False
        try:
            yield
        finally:
            self.answers = before

    def too_slow(self, edits):
        """Whether it is only tried, and the last two edits in a row took too long."""
        return self.tried and [(edit.seconds or 0) > SECONDS for edit in edits[-2:]] == [True, True]
