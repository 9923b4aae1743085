"""Every number in a notebook's prose stands in a checked output of the same notebook.

A number in a Markdown cell must occur in an output that nbval compares; a number without a percent sign may
also come from the code, where it is a setting rather than a finding. Exempt, because they don't say how much:

- code, formulas, links with their text, HTML tags
- the number that starts a heading or a list item
- names with digits (`FLUX.1`, `T5`, `Qwen2.5-VL`), and what follows Algorithm, arXiv, Exercise, Figure,
  Notebook, Part, Python, Question, Section or Table
- years from 2015 to 2029, and minutes, which are plans for the reader's time
"""

import re
from decimal import Decimal

NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?%?|\d+(?:\.\d+)?(?:e[-+]?\d+)?(?:\s?%)?", re.I)

EXEMPT = [
    re.compile(pattern, flags)
    for pattern, flags in [
        (r"^(```|~~~).*?^\1", re.M | re.S),  # blocks of code
        (r"(`+).+?\1", re.S),  # spans of code
        (r"\$\$.+?\$\$|(?<!\\)\$(?=\S)[^$\n]+?(?<=\S)\$(?!\d)", re.S),  # formulas
        (r"!?\[[^\]]*\](\([^)]*\)|\[[^\]]*\])", 0),  # links and pictures
        (r"<(?:https?:)?[^<>]+>|https?://\S+", 0),  # tags, bare addresses
        (r"&#?\w+;", 0),  # HTML entities
        (r"^\s*(?:>\s*)?(?:#+\s+)?\d+(?:\.\d+)*[.)]\s", re.M),  # "3. " before a heading or list item
        (r"^#+\s+\d+(?:\.\d+)*\s", re.M),  # "## 3 "
        (
            r"\b(?:algorithm|arxiv:?|exercise|figure|notebook|part|python|question|section|table)s? ?"
            r"\d[\d.]*\b(?:(?:, ?| to | and |[–-])\d[\d.]*\b)*",
            re.I,
        ),
        (r"(?<![\w.])[A-Za-z][\w.+-]*?\d[\w.+-]*", 0),  # names
        (r"\b20(?:1[5-9]|2\d)\b(?!\s?%|[.,]\d)", 0),  # years
        (r"\b\d+(?:(?: to |[–-])\d+)?[ -]min(?:ute)?s?\b", re.I),
    ]
]


def unbound_numbers(notebook, unchecked=lambda cell: False):
    """Yield (Markdown cell, number as written) where no checked output and no code accounts for the number.

    `unchecked` tells whether nbval ignores the output of a code cell: such outputs prove nothing.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    checked = [cell for cell in code if not unchecked(cell)]
    printed = _values(text_of(output) for cell in checked for output in cell.outputs)
    printed |= _values(alternative_text(output) for cell in checked for output in cell.outputs)
    settings = _values(cell.source for cell in code)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for number in numbers(cell.source):
                if not _meanings(number) & printed and _value(number) not in settings:
                    yield cell, number


def numbers(markdown):
    """The numbers in a piece of Markdown that are not exempt, as written."""
    for pattern in EXEMPT:
        markdown = pattern.sub(" ", markdown)
    return NUMBER.findall(markdown)


def text_of(output):
    """What a reader can read in one output: printed text, the text of a value, a rendered table."""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    return "\n".join(str(value) for kind, value in output.data.items() if kind.startswith("text/"))


def alternative_text(output):
    """The words that stand for the pictures of one output."""
    about = output.get("metadata", {}).values()
    return "\n".join(str(each.get("alt", "")) for each in about if isinstance(each, dict))


def _values(texts):
    return {_value(number) for text in texts for number in NUMBER.findall(text)}


def _value(number):
    """A number as (value, whether it is a percentage), so that 0.90 equals 0.9 and 11,900 equals 11900."""
    digits = number.replace(",", "").rstrip("% ")
    return Decimal(digits).normalize(), number.endswith("%")


def _meanings(number):
    """A percentage may be printed as such or as a fraction: 87% or 0.87."""
    value, percent = _value(number)
    return {(value, True), ((value / 100).normalize(), False)} if percent else {(value, False)}
