"""What does a map cost on a device? Qubits, two-qubit gates and depth after routing, and the circuits of a matrix.

python examples/resources.py                             # 8 features, 200 rows, on a model of a 156-qubit device
python examples/resources.py --features 16 --device fake_torino --rows 500 --shots 1000
"""

from __future__ import annotations

import argparse

from qkernels import CPMap, SeparableMap, ZZFeatureMap
from qkernels_hardware import device_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--device", default="fake_fez")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--shots", type=int, default=4096)
    arguments = parser.parse_args()

    device = device_model(arguments.device)
    maps = {
        "SeparableMap": SeparableMap(),
        "ZZFeatureMap, linear": ZZFeatureMap(),
        "ZZFeatureMap, coupling": ZZFeatureMap(entanglement="coupling", coupling=device),
        "ZZFeatureMap, full": ZZFeatureMap(entanglement="full"),
        "CPMap": CPMap(),
        "CPMap, closed ring": CPMap(ring=True),
    }
    print(f"One U(x) of {arguments.features} features on {device.name} ({device.num_qubits} qubits), routed:")
    print(f"{'':24}{'qubits':>8}{'2q gates':>10}{'2q depth':>10}{'depth':>8}")
    for name, feature_map in maps.items():
        cost = feature_map.resources(arguments.features, device)
        print(
            f"{name:24}{cost.num_qubits:8}{cost.routed_two_qubit_gates:10}{cost.routed_two_qubit_depth:10}"
            f"{cost.routed_depth:8}"
        )
    pairs = arguments.rows * (arguments.rows - 1) // 2
    print(
        f"A kernel entry runs U(x) and then U(y) backwards: twice that. The matrix of {arguments.rows} rows is "
        f"{pairs:,} circuits x {arguments.shots:,} shots = {pairs * arguments.shots:,} shots."
    )


if __name__ == "__main__":
    main()
