"""Every feature map: its circuit, and what one U(x) costs at several numbers of features.

python examples/gallery.py                       # circuits as text, resources at 8, 13 and 30 features
python examples/gallery.py --output pictures     # the circuits as PNG files as well
python examples/gallery.py --device fake_fez     # resources also after routing on a model of a 156-qubit device
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from qiskit.providers import BackendV2

from qkernels.feature_maps import (
    CovariantMap,
    CPMap,
    DenseAngleMap,
    FeatureMap,
    HamiltonianMap,
    HeisenbergMap,
    HighDimMap,
    PauliFeatureMap,
    ReuploadingMap,
    SeparableMap,
    YZCXMap,
    ZZFeatureMap,
)
from qkernels_hardware import device_model

MAPS: list[FeatureMap] = [
    SeparableMap(),
    ZZFeatureMap(),
    ZZFeatureMap(entanglement="full"),
    PauliFeatureMap(),
    CPMap(),
    HamiltonianMap(),
    CovariantMap(),
    HighDimMap(),
    YZCXMap(),
    HeisenbergMap(),
    DenseAngleMap(),
    ReuploadingMap(),
]
# What is drawn is small enough to read: (map, number of features).
DRAWN: list[tuple[FeatureMap, int]] = [
    (SeparableMap(), 3),
    (ZZFeatureMap(reps=1), 3),
    (PauliFeatureMap(paulis=["X", "YZ"], reps=1), 3),
    (CPMap(), 4),
    (HamiltonianMap(reps=1), 3),
    (CovariantMap(), 6),
    (HighDimMap(qubits=3), 9),
    (YZCXMap(), 4),
    (HeisenbergMap(time=1.0, trotter_steps=1), 2),
    (DenseAngleMap(), 6),
    (ReuploadingMap(qubits=2), 8),
]


def draw(folder: Path | None) -> None:
    for feature_map, d in DRAWN:
        circuit = feature_map.build(d)
        print(f"{feature_map!r}, {d} features\n{circuit.draw('text', fold=140)}\n")
        if folder is not None:
            figure = circuit.draw("mpl", style="clifford", fold=-1)
            figure.axes[0].set_title(f"{feature_map!r}, {d} features", loc="left")
            figure.savefig(folder / f"{type(feature_map).__name__}.png", dpi=120, bbox_inches="tight")


def print_resources(d: int, device: BackendV2 | None) -> None:
    routed = "" if device is None else f", and routed on {device.name} ({device.num_qubits} qubits)"
    print(f"One U(x) of {d} features, any qubit coupled to any{routed}:")
    head = f"{'':36}{'qubits':>8}{'gates':>7}{'CX':>6}{'depth':>7}{'2q depth':>10}"
    print(head if device is None else head + f"{'routed: 2q gates':>18}{'2q depth':>10}{'depth':>7}")
    for feature_map in MAPS:
        cost = feature_map.resources(d, device)
        line = (
            f"{feature_map!r:36}{cost.num_qubits:8}{cost.num_gates:7}{cost.num_cx:6}{cost.depth:7}"
            f"{cost.two_qubit_depth:10}"
        )
        if device is not None:
            line += f"{cost.routed_two_qubit_gates:18}{cost.routed_two_qubit_depth:10}{cost.routed_depth:7}"
        print(line)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, nargs="+", default=[8, 13, 30])
    parser.add_argument("--device", help="name of a device model, e.g. fake_fez")
    parser.add_argument("--output", type=Path, help="folder for the pictures; created if it is not there")
    arguments = parser.parse_args()
    if arguments.output is not None:
        if find_spec("pylatexenc") is None:
            parser.error("--output uses Qiskit's matplotlib drawer, which needs: pip install pylatexenc")
        arguments.output.mkdir(parents=True, exist_ok=True)

    draw(arguments.output)
    device = None if arguments.device is None else device_model(arguments.device)
    for d in arguments.features:
        print_resources(d, device)
    print("A kernel entry runs U(x) and then U(y) backwards: twice that.")


if __name__ == "__main__":
    main()
