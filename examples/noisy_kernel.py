"""What would a device do to this kernel, and how much of it can be repaired? Exactly, on two cores, in seconds."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qkernels import (
    ClipSpectrum,
    DepolarizingMitigation,
    FidelityKernel,
    OverlapProgram,
    QuantumKernelSVC,
    ReadoutMitigation,
    ZZFeatureMap,
)
from qkernels_hardware import AerEngine, NoiseProfile

SHOTS = 1024
SCALES = (0.0, 0.5, 1.0, 2.0, 4.0)


def main() -> None:
    X, y = load_iris(return_X_y=True)
    profile = NoiseProfile.named("fake_fez")  # a dated snapshot: the same noise on every machine, in every version
    feature_map = ZZFeatureMap()
    exact = FidelityKernel(feature_map).fit(X)

    program = OverlapProgram(feature_map.build(4), feature_map.parameter_vector(4))
    print(profile)
    print(AerEngine(profile).circuit(program))  # one circuit for all pairs: layout, gates, estimated fidelity

    print("\ndistance to the exact training matrix, root mean square:")
    engine = AerEngine(profile, shots=SHOTS, seed=0)
    repairs = {
        "measured": [],
        "readout": [ReadoutMitigation()],
        "depolarizing": [DepolarizingMitigation("mean")],
        "readout, depolarizing, clip": [ReadoutMitigation(), DepolarizingMitigation("mean"), ClipSpectrum()],
    }
    for name, corrections in repairs.items():
        gram = FidelityKernel(feature_map, engine=engine, corrections=[*corrections, ClipSpectrum()]).fit(X).gram_
        print(f"  {name:<28}{np.sqrt(np.mean((gram - exact.gram_) ** 2)):.4f}")

    print(f"\nfive-fold accuracy against the scale of the noise, {SHOTS} shots:")
    print(f"  RBF, for comparison: {cross_val_score(make_pipeline(StandardScaler(), SVC()), X, y, cv=5).mean():.3f}")
    for scale in SCALES:
        noisy = AerEngine(profile.scaled(scale), shots=SHOTS, seed=0)
        scores = []
        for corrections in ([ClipSpectrum()], [DepolarizingMitigation("mean"), ClipSpectrum()]):
            model = QuantumKernelSVC(FidelityKernel(feature_map, engine=noisy, corrections=corrections))
            scores.append(cross_val_score(model, X, y, cv=5).mean())
        print(f"  {scale:g} × noise: {scores[0]:.3f}, mitigated {scores[1]:.3f}")


if __name__ == "__main__":
    main()
