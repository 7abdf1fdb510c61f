"""Feature maps: x → QuantumCircuit. Nothing here runs a circuit.

=================  ===================================  ============  ==============================
map                definition                           qubits        two-qubit gates
=================  ===================================  ============  ==============================
`ZZFeatureMap`     H, P(2 x_i), ZZ phases; the default  d             2 CX per pair and repetition
`PauliFeatureMap`  the same with any Pauli strings      d             2(w−1) CX per string of weight w
`CPMap`            convolution and pooling layers       about d/2     linear in d
`SeparableMap`     H, P(x_i); baseline, no entangler    d             none
`HamiltonianMap`   RZ fields and RXX pair terms         d             1 RXX per pair and repetition
`CovariantMap`     RZ, RX on an entangled fiducial      ⌈d/2⌉         1 CZ per pair
`HighDimMap`       columns of RZ, RY, RZ                your choice   n − 1 √iSWAP between layers
`YZCXMap`          layers of RY, RZ                     d or fewer    about n/2 CX per layer
`HeisenbergMap`    chain of Heisenberg couplings        d + 1         3 CX per feature and Trotter step
`DenseAngleMap`    RY, P: two features per qubit        ⌈d/2⌉         1 CX per pair and repetition
`ReuploadingMap`   rows of RY, RZ, RX; for classifiers  8 or fewer    n − 1 CZ between rows
`CircuitMap`       your circuit                         its own       its own
=================  ===================================  ============  ==============================

`FeatureMap` is the base class (write ``_circuit(x)``); `ScaleRule` tells kernels how to feed a map. `fit_scaling`
learns from data what the rule says (`AffineScaling`); `check_bandwidth` validates a `Bandwidth`. `entangled_blocks`
lists the qubits of the gates of an entanglement pattern. `warn_of_column_order` compares names of columns and features.
"""

from qkernels.feature_maps._base import FeatureMap, ScaleRule
from qkernels.feature_maps._circuit_map import CircuitMap, warn_of_column_order
from qkernels.feature_maps._covariant import CovariantMap
from qkernels.feature_maps._cpmap import CPMap
from qkernels.feature_maps._dense_angle import DenseAngleMap
from qkernels.feature_maps._entanglement import entangled_blocks
from qkernels.feature_maps._hamiltonian import HamiltonianMap
from qkernels.feature_maps._heisenberg import HeisenbergMap
from qkernels.feature_maps._high_dim import HighDimMap
from qkernels.feature_maps._pauli import PauliFeatureMap
from qkernels.feature_maps._reuploading import ReuploadingMap
from qkernels.feature_maps._scaling import AffineScaling, Bandwidth, check_bandwidth, fit_scaling
from qkernels.feature_maps._separable import SeparableMap
from qkernels.feature_maps._yzcx import YZCXMap
from qkernels.feature_maps._zz import ZZFeatureMap

__all__ = [
    "AffineScaling",
    "Bandwidth",
    "CPMap",
    "CircuitMap",
    "CovariantMap",
    "DenseAngleMap",
    "FeatureMap",
    "HamiltonianMap",
    "HeisenbergMap",
    "HighDimMap",
    "PauliFeatureMap",
    "ReuploadingMap",
    "ScaleRule",
    "SeparableMap",
    "YZCXMap",
    "ZZFeatureMap",
    "check_bandwidth",
    "entangled_blocks",
    "fit_scaling",
    "warn_of_column_order",
]
