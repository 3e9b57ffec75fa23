"""Data whose truth is known: plans with their costs and probabilities, and a sum of inputs and luck."""

import numpy as np
from scipy.special import expit

from sim.analysis.solve import grid
from tests.verification.alarms import rng

SIZES = (6, 5, 8)
TARGET = 0.8


class Problem:
    """Three levers that help each other, with random weights and prices; the luck of a block is common to all plans."""

    def __init__(self, number, shift=0.0):
        r = np.random.default_rng([77, number])
        self.number = number
        self.points = grid(SIZES)
        x = self.points / (np.array(SIZES) - 1)
        weight = r.uniform(2, 5, 3)
        self.p = expit(1 + shift - 0.6 * weight.sum() + x @ weight + 2 * np.minimum(x[:, 0], x[:, 1]))
        self.cost = self.points @ r.uniform(1, 3, 3)

    def row(self, point):
        return int(np.ravel_multi_index(point, SIZES))

    def true(self, point):
        return self.p[self.row(point)]

    def evaluate(self, points, replications, block):
        u = np.random.default_rng([78, self.number, block]).random(replications)
        return [int(np.sum(u < self.true(point))) for point in points]


def sum_with_luck(*key, rows=512):
    """Runs of one random design of 2 A + B + 0 C + luck, as `sim.analysis.sensitivity.sobol` takes them."""
    r = rng(901, *key)
    a, b = r.standard_normal((2, rows, 3))
    shared = np.sqrt(8) * r.standard_normal((rows, 2))

    def runs(x):
        return (x @ [2.0, 1.0, 0.0])[:, None] + shared + np.sqrt(2) * r.standard_normal((rows, 2))

    return runs(a), runs(b), np.array([runs(np.where(np.arange(3) == i, b, a)) for i in range(3)])
