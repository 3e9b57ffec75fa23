"""Plans with known costs and probabilities, to find the cheapest of."""

import numpy as np
from scipy.special import expit

from sim.analysis.solve import grid

SIZES = (6, 5, 8)
TARGET = 0.8


class Problem:
    """Three levers that help each other, with random weights and prices; the luck of a block is common to all plans."""

    def __init__(self, number, shift=0.0):
        rng = np.random.default_rng([77, number])
        self.number = number
        self.points = grid(SIZES)
        x = self.points / (np.array(SIZES) - 1)
        weight = rng.uniform(2, 5, 3)
        self.p = expit(1 + shift - 0.6 * weight.sum() + x @ weight + 2 * np.minimum(x[:, 0], x[:, 1]))
        self.cost = self.points @ rng.uniform(1, 3, 3)

    def row(self, point):
        return int(np.ravel_multi_index(point, SIZES))

    def true(self, point):
        return self.p[self.row(point)]

    def evaluate(self, points, replications, block):
        u = np.random.default_rng([78, self.number, block]).random(replications)
        return [int(np.sum(u < self.true(point))) for point in points]
