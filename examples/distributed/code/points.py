"""Points around the corners of a simplex, drawn anew each time and always the same."""

import numpy as np

CLASSES, FEATURES = 5, 20


def points(seed, count):
    """Features with a constant one behind them, and the class of each."""
    centers = np.random.default_rng(0).normal(size=(CLASSES, FEATURES))
    draw = np.random.default_rng(seed)
    labels = draw.integers(CLASSES, size=count)
    features = centers[labels] + draw.normal(scale=1.5, size=(count, FEATURES))
    return np.hstack([features, np.ones((count, 1))]), labels
