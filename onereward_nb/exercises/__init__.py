"""Self-checks of the notebooks' exercises: they compare an answer with the ground truth and say what is wrong.

One module for each notebook. Each check prints one verdict and returns whether the answer is right.
"""
