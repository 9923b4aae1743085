"""The study of the oracle's reader looks at as many examples as it is told to."""

from onereward_nb.postcards.measure import reader


def test_as_many_examples_are_read_as_asked_for():
    figures = reader.measure(3)
    assert figures["word"]["examples"] == 3
    assert figures["letter"]["rate"] > 0.8 and figures["kind"]["rate"] > 0.8
