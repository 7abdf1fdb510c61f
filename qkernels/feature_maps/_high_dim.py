"""HighDimMap: many features on few qubits, in columns of rotations between layers of √iSWAP."""

from __future__ import annotations

from itertools import count
from math import pi
from typing import Literal

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import XXPlusYYGate

from qkernels._errors import InvalidDataError
from qkernels.feature_maps._base import FeatureMap, ScaleRule


class HighDimMap(FeatureMap):
    r"""High-dimensional feature map: up to 3n features per layer on n qubits.

    H on all qubits; then L layers, each of three columns RZ, RY, RZ over all qubits. The features run down the
    columns, one per gate (gate number s, counted from 0, has angle x[s mod d]), and start again when they run
    out. Between two layers √iSWAP (or CX) on the pairs (0,1), (2,3), …, then (1,2), (3,4), ….

    Parameters
    ----------
    qubits : int, default=None
        n ≥ 1; None is ⌈d/2⌉, but at least min(d, 4).
    reps : int, default=None
        L ≥ 1; None is max(⌈d/3n⌉, 2), the smallest number that holds all features and entangles.
    gate : {"sqrt_iswap", "cx"}, default="sqrt_iswap"
        The entangler; CX(i→i+1) is the cheaper one on devices without an iSWAP.

    See Also
    --------
    CPMap : about d/2 qubits too, every feature used once.

    Notes
    -----
    Where 3nL is no multiple of d, the first features are used once more than the others. Features that do not
    fit (``3 * qubits * reps < d``) are refused, never dropped.

    Cost: (L−1)(n−1) entanglers, one CX or √iSWAP each; a √iSWAP is 2 CX where it is not native.

    The source runs 67 features on 10, 14 and 17 qubits. On narrow tables so few qubits per feature cost
    accuracy: with max(2, ⌈d/4⌉) qubits on iris, wine and breast_cancer in 8 principal components the best 5-fold
    accuracy at any scale was .87, .90 and .84 (C=1); with the default it is about .95, .97 and .96.

    The kernel has period 2π in each feature. With ``reps=1`` nothing entangles and it is a product over qubits.

    References
    ----------
    Peters et al., "Machine learning of high dimensional data on a noisy quantum processor", arXiv:2101.09581.

    Examples
    --------
    >>> from qkernels.feature_maps import HighDimMap
    >>> HighDimMap(gate="cx")
    HighDimMap(gate='cx')
    >>> HighDimMap(qubits=17).build(67).count_ops()["ry"]  # 2 layers
    34
    >>> HighDimMap(qubits=2).build(8).draw("text", fold=-1)
         ┌───┐┌──────────┐┌──────────┐┌──────────┐┌─────────────────┐┌──────────┐┌──────────┐┌──────────┐
    q_0: ┤ H ├┤ Rz(x[0]) ├┤ Ry(x[2]) ├┤ Rz(x[4]) ├┤0                ├┤ Rz(x[6]) ├┤ Ry(x[0]) ├┤ Rz(x[2]) ├
         ├───┤├──────────┤├──────────┤├──────────┤│  √iSWAP(-π/2,0) │├──────────┤├──────────┤├──────────┤
    q_1: ┤ H ├┤ Rz(x[1]) ├┤ Ry(x[3]) ├┤ Rz(x[5]) ├┤1                ├┤ Rz(x[7]) ├┤ Ry(x[1]) ├┤ Rz(x[3]) ├
         └───┘└──────────┘└──────────┘└──────────┘└─────────────────┘└──────────┘└──────────┘└──────────┘
    """

    def __init__(
        self,
        qubits: int | None = None,
        reps: int | None = None,
        gate: Literal["sqrt_iswap", "cx"] = "sqrt_iswap",
    ) -> None:
        self.qubits = qubits
        self.reps = reps
        self.gate = gate

    def num_qubits(self, n_features: int) -> int:
        """Return `qubits`, or ⌈d/2⌉ and at least min(d, 4) where that is None.

        Parameters
        ----------
        n_features : int
            Number of features d.

        Returns
        -------
        int
            Number of qubits.

        Raises
        ------
        InvalidParameterError
            If `n_features` is not an integer, or `qubits` breaks its rule.
        InvalidDataError
            If `n_features` is less than 1.
        """
        d = len(self.parameter_vector(n_features))
        if self.qubits is not None:
            return self._require_integer("qubits", minimum=1)
        return max((d + 1) // 2, min(d, 4))

    def _circuit(self, x: ParameterVector) -> QuantumCircuit:
        n = self.num_qubits(len(x))
        layers = self._layers(len(x), n)
        self._require_choice("gate", ("sqrt_iswap", "cx"))
        circuit = QuantumCircuit(n, name="HighDimMap")
        circuit.h(range(n))
        slot = count()
        for layer in range(layers):
            if layer > 0:
                self._entangle(circuit)
            for rotate in (circuit.rz, circuit.ry, circuit.rz):
                for i in range(n):
                    rotate(x[next(slot) % len(x)], i)
        return circuit

    @property
    def scale_rule(self) -> ScaleRule:
        """``"standard"`` with κ = 0.5, the best of seven factors in cross-validation at the defaults."""
        return ScaleRule("standard", 0.5)

    def _layers(self, n_features: int, num_qubits: int) -> int:
        needed = -(-n_features // (3 * num_qubits))
        if self.reps is None:
            return max(needed, 2)
        reps = self._require_integer("reps", minimum=1)
        if reps < needed:
            raise InvalidDataError(
                f"HighDimMap: {num_qubits} qubit(s) and reps={reps} hold at most {3 * num_qubits * reps} feature(s); "
                f"got {n_features} feature(s). Raise qubits or reps, or reduce the features (e.g. PCA)."
            )
        return reps

    def _entangle(self, circuit: QuantumCircuit) -> None:
        for first in (0, 1):
            for i in range(first, circuit.num_qubits - 1, 2):
                if self.gate == "cx":
                    circuit.cx(i, i + 1)
                else:
                    circuit.append(XXPlusYYGate(-pi / 2, label="√iSWAP"), [i, i + 1])
