"""Whether the sections of a notebook are all there: headings in order, mentions of them, exercises with instructions."""

import re

CODE_BLOCK = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)
NUMBERED_HEADING = re.compile(r"^#+ (\d+)\. ", re.M)
EXERCISE_HEADING = re.compile(r"^#+ .*\bExercise\b", re.M)
# "section 4", "sections 4 and 5", but neither "section 5.2" of a paper nor sections of another notebook
SECTIONS = re.compile(
    r"(?<!notebook \d\d, )\bsections? (\d+(?:(?:, | and | or | to )\d+)*)(?!\.?\d)(?! (?:of|in) notebook)",
    re.I,
)
SELF_CHECKS = re.compile(r"^from onereward_nb\.exercises\S* import (\([^)]*\)|.*)", re.M)


def wrong(notebook):
    """Yield (Markdown cell, problem) for headings whose numbers skip, and for mentions of sections that don't exist."""
    texts = [
        (cell, CODE_BLOCK.sub("", cell.source)) for cell in notebook.cells if cell.cell_type == "markdown"
    ]
    headings = [(cell, int(number)) for cell, text in texts for number in NUMBERED_HEADING.findall(text)]
    for expected, (cell, number) in enumerate(headings, start=1):
        if number != expected:
            yield cell, f"heading {number}, expected {expected}: a section is missing or moved"
            break  # those after it are off for the same reason
    known = {number for _, number in headings}
    for cell, text in texts:
        for mention in SECTIONS.findall(text):
            for number in re.findall(r"\d+", mention):
                if int(number) not in known:
                    yield cell, f"mentions section {number}, and no heading has this number"


def unexplained_checks(notebook):
    """Yield (code cell, problem) for self-checks whose exercise has no heading, so probably no instructions."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    checks = {name for names in SELF_CHECKS.findall(code) for name in re.findall(r"\bcheck_\w+", names)}
    heading = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading |= bool(EXERCISE_HEADING.search(CODE_BLOCK.sub("", cell.source)))
        elif called := sorted(name for name in checks if f"{name}(" in cell.source):
            if not heading:
                yield cell, f"calls {called[0]} under no heading of an exercise: say what is to be done"
            heading = False
