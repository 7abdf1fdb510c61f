"""A16: images as Hamiltonians: a 3-qubit re-uploading model tells eight digits apart.

An 8 × 8 image M enters as exp(−i t (M + Mᵀ)/4), 15 times with a trained t each, between trainable layers of SU(4)
blocks; the score of digit k is the probability of basis state k. Trained by Adam with step 0.1 on the cross-entropy of
all training images at once. The exponential of an image is no gate with an angle: this model lives in a simulator only,
see `HamiltonianEmbedding`.

The range of the target is that of an independent NumPy computation on other splits; what is allowed beyond it is two
standard errors of our test rows. The quick setting stops after 100 epochs, where the range already holds.
"""

from __future__ import annotations

import numpy as np
from _common import Check, Paper, Target, binomial_slack, main, tuned_rbf
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from qkernels.variational import CrossEntropy, HamiltonianEmbedding

PAPER = Paper(
    "A16",
    "Wang et al. 2024",
    "Quantum Hamiltonian embedding of images for data reuploading classifiers",
    "2407.14055",
    own_numbers=False,
)
CLASSES = 8
TRAIN = 1200
STEP, DECAY, SECOND_DECAY = 0.1, 0.9, 0.999
LOW, HIGH = 0.90, 0.97

Values = NDArray[np.float64]


def adam(model: HamiltonianEmbedding, X: Values, y: NDArray[np.int64], epochs: int) -> Values:
    """Trained times and angles."""
    data, targets, loss = model.embed(X), np.eye(CLASSES)[y], CrossEntropy()

    def cotangent(probabilities: Values) -> Values:
        return loss.gradient(probabilities, targets) / len(targets)

    theta = model.initial_point(CLASSES, random_state=0)
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    for epoch in range(1, epochs + 1):
        _, gradient = model.vjp(data, theta, cotangent)
        mean += (1 - DECAY) * (gradient - mean)
        square += (1 - SECOND_DECAY) * (gradient**2 - square)
        theta -= STEP * mean / (1 - DECAY**epoch) / (np.sqrt(square / (1 - SECOND_DECAY**epoch)) + 1e-8)
    return theta


def run(quick: bool) -> list[Check]:
    epochs = 100 if quick else 500
    X, y = load_digits(return_X_y=True)
    X, y = X[y < CLASSES] / 16.0, y[y < CLASSES]
    X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=TRAIN, stratify=y, random_state=0)
    model = HamiltonianEmbedding(layers=15)
    theta = adam(model, X_train.reshape(-1, 8, 8), y_train, epochs)
    probabilities = model.probabilities(model.embed(X_test.reshape(-1, 8, 8)), theta)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == y_test))
    rbf = tuned_rbf(cv=2 if quick else 5).fit(X_train, y_train).score(X_test, y_test)
    name = f"digits 0 to 7, {TRAIN} train, {len(y_test)} test, {epochs} epochs: accuracy"
    return [Check(name, accuracy, Target(LOW, HIGH, binomial_slack(HIGH, len(y_test))), rbf)]


if __name__ == "__main__":
    main(PAPER, run, __doc__)
