"""A24: small changes of an image, made by the gradient of its pixels, deceive a trained circuit; retraining helps.

A re-uploading classifier on 4 qubits takes the 64 grey values of an image as angles, each with a trained factor. The
attacks change every pixel by at most ε = 0.2 of full scale: FGSM in one step, PGD in ten. `adversarial_fit` then
trains on with freshly attacked training images; its success is the share of the lost test accuracy that comes back. All
attacks are made on test images, against the model that is tested. The tuned RBF kernel sees the images that were made
to deceive the first circuit.
"""

from __future__ import annotations

import warnings

import numpy as np
from _common import Check, Paper, Target, main, tuned_rbf
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from qkernels import VQC
from qkernels.diagnostics import adversarial_fit, fgsm_attack, pgd_attack
from qkernels.feature_maps import ReuploadingMap
from qkernels.variational import EfficientSU2Ansatz

PAPER = Paper(
    "A24",
    "Ren et al. 2022",
    "Experimental quantum adversarial learning with programmable superconducting qubits",
    "2204.01738",
    own_numbers=False,
)
DIGITS = (3, 5)
EPSILON, GREY = 0.2, (0.0, 1.0)

Values = NDArray[np.float64]


def classifier() -> VQC:
    return VQC(
        ReuploadingMap(4),
        EfficientSU2Ansatz(reps=1),
        readout="classes",
        reuploads=2,
        trainable_scaling=True,
        bandwidth=0.5,
        max_iter=60,
        random_state=0,
    )


def attacked(model: VQC, X: Values, y: NDArray[np.int64]) -> tuple[Values, Values]:
    """Images changed by FGSM and by PGD."""
    return (
        fgsm_attack(model, X, y, EPSILON, clip=GREY),
        pgd_attack(model, X, y, EPSILON, clip=GREY, random_state=0),
    )


def run(quick: bool) -> list[Check]:
    splits = 1 if quick else 3
    X, y = load_digits(return_X_y=True)
    X, y = X[np.isin(y, DIGITS)] / 16.0, y[np.isin(y, DIGITS)]
    before, after, rival = [], [], []
    for seed in range(splits):
        X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 60 iterations are enough and not the end
            usual = classifier().fit(X_train, y_train)
            hardened = adversarial_fit(classifier(), X_train, y_train, EPSILON, steps=5, clip=GREY, random_state=0)
        rbf = tuned_rbf(cv=3 if quick else 5).fit(X_train, y_train)
        images = (X_test, *attacked(usual, X_test, y_test))
        before.append([usual.score(some, y_test) for some in images])
        rival.append([rbf.score(some, y_test) for some in images])
        after.append([hardened.score(some, y_test) for some in (X_test, *attacked(hardened, X_test, y_test))])
    clean, *deceived = (float(mean) for mean in np.mean(before, axis=0))
    still_clean, *withstood = (float(mean) for mean in np.mean(after, axis=0))
    rbf_clean, *transferred = (float(mean) for mean in np.mean(rival, axis=0))
    at = f"digits {DIGITS[0]} and {DIGITS[1]}, {splits} split{'s' * (splits > 1)}"
    checks = [Check(f"{at}: clean accuracy", clean, Target(low=0.95), rbf_clean)]
    for name, low, high, rbf_low in zip(("FGSM", "PGD"), deceived, withstood, transferred, strict=True):
        target = Target(high=clean - 0.30) if name == "PGD" else None
        checks.append(Check(f"{at}: accuracy under {name}, ε = {EPSILON}", low, target, rbf_low))
        checks.append(Check(f"{at}: the same, retrained", high, Target(low=low + 0.5 * (clean - low))))
    return [*checks, Check(f"{at}: clean accuracy, retrained", still_clean, None, rbf_clean)]


if __name__ == "__main__":
    main(PAPER, run, __doc__)
