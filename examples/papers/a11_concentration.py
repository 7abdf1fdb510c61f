"""A11: the kernel of the map without entanglement concentrates exponentially, exactly as a closed formula says.

For angles uniform on [0, 2π)ⁿ an entry between different rows is a product of n independent cos²(δ/2), δ uniform. With
μ_p = E[cos^2p] = C(2p, p)/4^p its p-th moment is μ_pⁿ: mean 2⁻ⁿ, variance (3/8)ⁿ − 4⁻ⁿ. Entries of one matrix are
pairwise independent (any two of its pairs of rows have independent δ), so the standard error of their mean and of their
mean squared deviation is that of as many independent draws, and it follows from the same moments. Five of them are
allowed. No RBF kernel beside: nothing is learned here.
"""

from __future__ import annotations

from math import comb, sqrt

import numpy as np
from _common import Check, Paper, about, main

from qkernels import FidelityKernel, SeparableMap
from qkernels.diagnostics import off_diagonal_statistics

PAPER = Paper("A11", "Thanasilp et al. 2024", "Exponential concentration in quantum kernel methods", "2208.11060")
ROWS = 100
ENTRIES = ROWS * (ROWS - 1) // 2
STANDARD_ERRORS = 5.0


def run(quick: bool) -> list[Check]:
    matrices = 20 if quick else 200  # independent ones, so that their average is close to normal
    rng = np.random.default_rng(0)
    kernel = FidelityKernel(SeparableMap(), bandwidth=1.0)
    checks = []
    for n in range(2, 9):
        m1, m2, m3, m4 = ((comb(2 * p, p) / 4**p) ** n for p in (1, 2, 3, 4))
        variance = m2 - m1**2
        fourth = m4 - 4 * m3 * m1 + 6 * m2 * m1**2 - 3 * m1**4
        found = [off_diagonal_statistics(kernel(rng.uniform(0, 2 * np.pi, (ROWS, n)))) for _ in range(matrices)]
        mean = float(np.mean([s.mean for s in found]))
        spread = float(np.mean([s.std**2 + (s.mean - m1) ** 2 for s in found]))
        allowed = STANDARD_ERRORS / sqrt(matrices * ENTRIES)
        checks += [
            Check(f"n = {n}: mean of the entries, 2⁻ⁿ", mean, about(m1, allowed * sqrt(variance)), form=".5f"),
            Check(
                f"n = {n}: their variance, (3/8)ⁿ − 4⁻ⁿ",
                spread,
                about(variance, allowed * sqrt(fourth - variance**2)),
                form=".6f",
            ),
        ]
    return checks


if __name__ == "__main__":
    main(PAPER, run, __doc__)
