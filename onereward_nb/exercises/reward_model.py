"""Self-checks of notebook 08: the best of N with few comparisons, the temperature of a judge, Bradley–Terry scores."""

from numbers import Real

import numpy as np

from .verdict import verdict

JUDGED = 4000  # pairs of a judge whose temperature is to be found
NEAR = 1.15  # as a factor: so near to the true temperature is right
CLOSE = 0.02


def check_choice(choose):
    """Does a function find the best of n edits with at most n - 1 comparisons?

    choose: takes n and better(i, j), the probability that edit i is better than edit j; returns an index.
    """
    rng = np.random.default_rng(0)
    for n in (8, 8, 8, 5, 2, 1):
        merits, asked = rng.normal(size=n), []

        def better(i, j, merits=merits, asked=asked):
            asked.append((i, j))
            return float(_sigmoid(merits[i] - merits[j]))

        answer = choose(n, better)
        if isinstance(answer, bool) or not isinstance(answer, (int, np.integer)) or not 0 <= answer < n:
            return verdict(
                False, f"of {n} edits it returns {answer!r}: return the index of one, from 0 to {n - 1}"
            )
        if any(i == j for i, j in asked):
            return verdict(False, "it compares an edit with itself, which tells nothing")
        place = int((merits > merits[answer]).sum())
        if place:
            return verdict(
                False,
                f"of {n} edits it chooses one, and {place} {'is' if place == 1 else 'are'} better: "
                "the best beats every other one",
            )
        if len(asked) > n - 1:
            return verdict(
                False, f"of {n} edits it finds the best, and asks {len(asked)} times: {n - 1} are enough"
            )
    return verdict(True, "the best one, with one comparison fewer than there are edits")


def check_temperature(temperature):
    """Does a function find by which number the logits of a judge must be divided to calibrate it?

    temperature: takes probabilities and what came true, bool, arrays of one length; returns a number.
    """
    rng = np.random.default_rng(1)
    for wanted in (2.5, 0.6, 1.0):
        honest = rng.normal(scale=1.5, size=JUDGED)
        came_true = rng.random(JUDGED) < _sigmoid(honest)
        answer = temperature(_sigmoid(wanted * honest), came_true)
        if np.shape(answer) == () and hasattr(answer, "item"):
            answer = answer.item()  # an array or a tensor of one number
        if not isinstance(answer, Real) or not np.isfinite(answer) or answer <= 0:
            return verdict(False, f"it returns {answer!r}: a temperature is a number above 0")
        if _near(answer, wanted):
            continue
        kind = "too sure" if wanted > 1 else "not sure enough" if wanted < 1 else "calibrated already"
        why = f"for a judge that is {kind} it finds {answer:.2f}, not {wanted:.2f}"
        if wanted != 1 and _near(answer, 1 / wanted):
            return verdict(False, f"{why}: logits are divided by the temperature, not multiplied")
        return verdict(False, f"{why}: take the one with the smallest loss")
    return verdict(
        True, "it finds the temperature of judges that are too sure, not sure enough and just right"
    )


def check_strengths(strengths):
    """Does a function find the Bradley–Terry scores that fit a table of comparisons best?

    strengths: takes the probabilities (n, n) that the row beats the column; returns n numbers.
    """
    rng = np.random.default_rng(2)
    true = rng.normal(size=6)
    answer = _as_scores(strengths(_sigmoid(true[:, None] - true[None, :])), 6)
    if answer is None:
        return verdict(False, "of a table of 6 edits it must return 6 numbers")
    answer, true = answer - answer.mean(), true - true.mean()
    if not np.allclose(answer, true, atol=CLOSE):
        if (np.argsort(answer) != np.argsort(true)).any():
            return verdict(
                False, "where scores fit the table exactly, its order is another: the row beats the column"
            )
        return verdict(
            False,
            "where scores fit the table exactly, the order is right and the differences are not: "
            f"they spread over {np.ptp(answer):.2f} and should over {np.ptp(true):.2f}",
        )
    margins = rng.normal(scale=2, size=(6, 6))
    table = _sigmoid(margins - margins.T)  # every pair on its own, so it contradicts itself
    scores = _as_scores(strengths(table.copy()), 6)
    if scores is None:
        return verdict(False, "where the table contradicts itself, it must return 6 numbers as well")
    expected = _sigmoid(scores[:, None] - scores[None, :]).sum(axis=1)
    worst = np.abs(expected - table.sum(axis=1)).argmax()
    if abs(expected[worst] - table.sum(axis=1)[worst]) > CLOSE:
        return verdict(
            False,
            f"where the table contradicts itself, an edit should win {table.sum(axis=1)[worst]:.2f} in all, "
            f"and its scores expect {expected[worst]:.2f}: fit all comparisons together",
        )
    return verdict(True, "the scores fit a table without contradictions exactly, and any other best")


def _as_scores(answer, count):
    scores = np.asarray(answer, float)
    return scores if scores.shape == (count,) and np.isfinite(scores).all() else None


def _near(one, other):
    return 1 / NEAR < one / other < NEAR


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
