"""CovariantMap: group elements of two features each, applied to an entangled fiducial state."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, pi
from numbers import Real

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels._errors import InvalidParameterError
from qkernels.feature_maps._base import FeatureMap, ScaleRule
from qkernels.feature_maps._entanglement import Coupling, Entanglement, entangled_blocks


class CovariantMap(FeatureMap):
    r"""Covariant feature map: two features per qubit turn an entangled fiducial state.

    The fiducial state :math:`|\psi\rangle` is RY(θ_i) on each qubit i, then CZ on each entangled pair. On it acts
    the group element :math:`D(x) = \bigotimes_i e^{i x_{2i} X} e^{i x_{2i+1} Z}`: RZ(−2 x_{2i+1}), then
    RX(−2 x_{2i}) on qubit i. The kernel is :math:`|\langle\psi|D(x)^\dagger D(y)|\psi\rangle|^2`.

    Parameters
    ----------
    fiducial : float or sequence of float, default=π/2
        The angles θ_i in radians: one for all qubits, or one per qubit.
    entanglement : str, list of pairs, or mapping {2: list of pairs}, default="linear"
        Pairs of qubits, not of features; as `ZZFeatureMap`.
    coupling : BackendV2, CouplingMap or list of pairs, default=None
        The device of ``entanglement="coupling"``, ignored otherwise.

    See Also
    --------
    DenseAngleMap : two features per qubit as well, for tables without group structure.

    Notes
    -----
    Qubits: ⌈d/2⌉. With an odd number of features the last qubit has RX alone: its missing angle is 0. One
    feature is refused: RX leaves the fiducial state of one qubit at the default θ as it is, so the kernel would
    be constant.

    Cost: one CZ per pair, ⌈d/2⌉ − 1 for ``"linear"``, and three layers of one-qubit gates.

    At the default fiducial every one-qubit reduced state is the maximally mixed one, whatever the data: a
    `ProjectedKernel` needs observables on several qubits there, or another fiducial.

    The map is made for data on which the group acts: labels that depend on the coset of D(x) modulo the subgroup
    that leaves :math:`|\psi\rangle` unchanged. Two symmetries follow. Multiplying both D(x) and D(y) by one group
    element from the left, such as adding the same number to feature 2i of both rows, does not change the kernel.
    And rows of one coset are the same point: at the default fiducial, a graph state, adding π/2 to feature 2i,
    negating feature 2i + 1 and adding π/2 to feature 2j + 1 of every neighbour j of qubit i leaves every kernel
    entry unchanged.

    On an ordinary table the same stabilisers make features indistinguishable around x = 0: there X on an end of
    the chain acts as Z on its neighbour. `scale_rule` therefore moves the data away from 0 by scaling them to
    [0, 1.4]; that factor is the best of ten in cross-validation. With C=1, 5-fold
    accuracy on iris, wine and breast_cancer in 8 principal components is about .92, .97 and .96; standardised data
    reached .90, .97 and .87 at the best scale.

    References
    ----------
    Glick et al., "Covariant quantum kernels for data with group structure", arXiv:2105.03406.

    Examples
    --------
    >>> from qkernels.feature_maps import CovariantMap
    >>> CovariantMap(fiducial=0.5)
    CovariantMap(fiducial=0.5)
    >>> CovariantMap().build(5).draw("text", fold=-1)
         ┌─────────┐   ┌───────────────┐┌───────────────┐
    q_0: ┤ Ry(π/2) ├─■─┤ Rz((-2)*x[1]) ├┤ Rx((-2)*x[0]) ├─────────────────
         ├─────────┤ │ └───────────────┘├───────────────┤┌───────────────┐
    q_1: ┤ Ry(π/2) ├─■─────────■────────┤ Rz((-2)*x[3]) ├┤ Rx((-2)*x[2]) ├
         ├─────────┤           │        ├───────────────┤└───────────────┘
    q_2: ┤ Ry(π/2) ├───────────■────────┤ Rx((-2)*x[4]) ├─────────────────
         └─────────┘                    └───────────────┘
    """

    _minimum_features = 2

    def __init__(
        self,
        fiducial: float | Sequence[float] = pi / 2,
        entanglement: Entanglement = "linear",
        coupling: Coupling | None = None,
    ) -> None:
        self.fiducial = fiducial
        self.entanglement = entanglement
        self.coupling = coupling

    def num_qubits(self, n_features: int) -> int:
        """Return ⌈d/2⌉.

        Parameters
        ----------
        n_features : int
            Number of features d, at least 2.

        Returns
        -------
        int
            Number of qubits.

        Raises
        ------
        InvalidParameterError
            If `n_features` is not an integer.
        InvalidDataError
            If `n_features` is less than 2.
        """
        return (len(self.parameter_vector(n_features)) + 1) // 2

    def _circuit(self, x: ParameterVector) -> QuantumCircuit:
        n = self.num_qubits(len(x))
        circuit = QuantumCircuit(n, name="CovariantMap")
        for i, angle in enumerate(self._fiducial_angles(n)):
            circuit.ry(angle, i)
        for i, j in entangled_blocks(
            type(self).__name__, self.entanglement, n, coupling=self.coupling, n_features=len(x)
        ):
            circuit.cz(i, j)
        for i in range(n):
            if 2 * i + 1 < len(x):
                circuit.rz(-2 * x[2 * i + 1], i)
            circuit.rx(-2 * x[2 * i], i)
        return circuit

    @property
    def scale_rule(self) -> ScaleRule:
        """``"unit"`` with κ = 1.4: features scaled to [0, 1.4]."""
        return ScaleRule("unit", 1.4)

    def _fiducial_angles(self, num_qubits: int) -> list[float]:
        given: object = self.fiducial
        one_per_qubit = isinstance(given, Sequence) or (isinstance(given, np.ndarray) and given.ndim == 1)
        values = list(self.fiducial) if one_per_qubit else [given] * num_qubits  # type: ignore[arg-type]
        angles = [float(v) for v in values if isinstance(v, Real) and not isinstance(v, bool) and isfinite(v)]
        if not len(angles) == len(values) == num_qubits:
            raise InvalidParameterError(
                f"CovariantMap: fiducial must be a finite number, or {num_qubits} of them (one per qubit), in "
                f"radians; got {self.fiducial!r}."
            )
        return angles
