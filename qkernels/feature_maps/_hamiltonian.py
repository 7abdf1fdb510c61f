"""HamiltonianMap: Trotterised evolution under a data-dependent XX chain with Z fields."""

from __future__ import annotations

from math import pi

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels._errors import InvalidParameterError
from qkernels.feature_maps._base import FeatureMap, ScaleRule
from qkernels.feature_maps._entanglement import Block, Coupling, Entanglement, entangled_blocks


class HamiltonianMap(FeatureMap):
    r"""Hamiltonian-evolution feature map.

    H on all qubits; per repetition :math:`RZ(2 \gamma x_i)` on each qubit i, then
    :math:`RXX(\pi \gamma^2 (1 - x_i)(1 - x_j))` on each entangled pair.

    Parameters
    ----------
    reps : int, default=2
        Repetitions, at least 1.
    gamma : float, default=1.0
        Bandwidth of the map itself, greater than 0.
    entanglement : str, list of pairs, or mapping {2: list of pairs}, default="linear"
        As `ZZFeatureMap`.
    interaction_range : int, default=None
        r ≥ 1 entangles all pairs (i, j) with 1 ≤ j − i ≤ r: 1 is ``"linear"``, d − 1 is ``"full"``. Only with
        the default `entanglement`.
    coupling : BackendV2, CouplingMap or list of pairs, default=None
        The device of ``entanglement="coupling"``, ignored otherwise.

    See Also
    --------
    ZZFeatureMap : diagonal pair phases.

    Notes
    -----
    Cost per repetition: d qubits, one RXX (2 CX) per pair; d − 1 pairs for ``"linear"``. The pair phase is
    largest at x = 0, so the map expects features in [0, 1] (`scale_rule`).

    References
    ----------
    Metcalf, Andrés-Martínez and Fitzpatrick, "Realizing quantum kernel models at scale with matrix product
    state simulation", arXiv:2411.09336.

    Examples
    --------
    >>> from qkernels.feature_maps import HamiltonianMap
    >>> HamiltonianMap(gamma=0.5)
    HamiltonianMap(gamma=0.5)
    >>> HamiltonianMap(reps=1, interaction_range=2).resources(4).num_cx
    10
    """

    def __init__(
        self,
        reps: int = 2,
        gamma: float = 1.0,
        entanglement: Entanglement = "linear",
        interaction_range: int | None = None,
        coupling: Coupling | None = None,
    ) -> None:
        self.reps = reps
        self.gamma = gamma
        self.entanglement = entanglement
        self.interaction_range = interaction_range
        self.coupling = coupling

    def _circuit(self, x: ParameterVector) -> QuantumCircuit:
        reps = self._require_integer("reps", minimum=1)
        gamma = self._require_number("gamma", "a finite number greater than 0", lambda value: value > 0)
        circuit = QuantumCircuit(len(x), name="HamiltonianMap")
        circuit.h(range(len(x)))
        for repetition in range(reps):
            for i, feature in enumerate(x):
                circuit.rz(2 * gamma * feature, i)
            for i, j in self._pairs(len(x), repetition):
                circuit.rxx(pi * gamma**2 * (1 - x[i]) * (1 - x[j]), i, j)
        return circuit

    @property
    def scale_rule(self) -> ScaleRule:
        """``"unit"``: features scaled to [0, 1]."""
        return ScaleRule("unit", 1.0)

    def _pairs(self, num_qubits: int, repetition: int) -> list[Block]:
        if self.interaction_range is None:
            return entangled_blocks(
                type(self).__name__,
                self.entanglement,
                num_qubits,
                repetition=repetition,
                coupling=self.coupling,
            )
        reach = self._require_integer("interaction_range", minimum=1)
        if not isinstance(self.entanglement, str) or self.entanglement != "linear":
            raise InvalidParameterError(
                f"{type(self).__name__}: interaction_range={reach} replaces entanglement, which must then be "
                f"'linear'; got entanglement={self.entanglement!r}. Set one of the two."
            )
        return [(i, j) for i in range(num_qubits) for j in range(i + 1, min(i + reach + 1, num_qubits))]
