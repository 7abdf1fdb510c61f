"""Train a classifier exactly, evaluate it under a device's noise, and plan the run on the device."""

from __future__ import annotations

from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qkernels import VQC, StatevectorEngine
from qkernels_hardware import AerEngine, NoiseProfile, RuntimeEngine

SHOTS = 1024
SCALES = (1.0, 10.0, 30.0)


def main() -> None:
    X, y = load_iris(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=50, stratify=y, random_state=0)

    model = VQC(random_state=0).fit(X_train, y_train)
    angles = f"{len(model.theta_)} angles, {model.n_iter_} iterations"
    print(f"trained exactly: {angles}, training accuracy {model.score(X_train, y_train):.3f}")

    print(f"\naccuracy of the same angles on {len(y_test)} other rows (one is {1 / len(y_test):.2f}):")
    print(f"  exact              {model.score(X_test, y_test):.3f}")
    shots = StatevectorEngine(shots=SHOTS, seed=0)
    print(f"  {SHOTS} shots         {model.with_engine(shots).score(X_test, y_test):.3f}")
    profile = NoiseProfile.named("fake_fez")  # a dated snapshot: the same noise on every machine, in every version
    for scale in SCALES:
        noisy = model.with_engine(AerEngine(profile.scaled(scale), shots=SHOTS, seed=0))
        print(f"  {scale:>2g} × noise         {noisy.score(X_test, y_test):.3f}")
    rbf = make_pipeline(StandardScaler(), SVC()).fit(X_train, y_train)
    print(f"  RBF, to compare    {rbf.score(X_test, y_test):.3f}")

    # A model of the device: no account is asked for. With one: RuntimeEngine("ibm_fez", ledger=..., ...).
    print("\nwhat predicting these rows would take on the device:")
    print(model.with_engine(RuntimeEngine("fake_fez", shots=SHOTS, seed=0)).plan(X_test))


if __name__ == "__main__":
    main()
