"""SeparableMap: the map without entangler, the baseline of honesty."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels.feature_maps._base import FeatureMap, ScaleRule


class SeparableMap(FeatureMap):
    r"""Feature map without entangling gates: H, then P(x_i) on qubit i.

    The kernel is :math:`k(x, y) = \prod_i \cos^2((x_i - y_i)/2)`, which a classical computer evaluates in
    time d. An entangling map that does no better than this one on a data set does not use its entanglement.

    See Also
    --------
    CPMap : equals this map on its first n features while the others agree.

    Notes
    -----
    Cost: d qubits, 2d one-qubit gates, no two-qubit gate, depth 2. "Product" is the name of a data map of
    `ZZFeatureMap`, not of this map.

    References
    ----------
    Shaydulin and Wild, "Importance of kernel bandwidth in quantum machine learning", arXiv:2111.05451.

    Examples
    --------
    >>> from qkernels.feature_maps import SeparableMap
    >>> print(SeparableMap().resources(4))
    4 qubits, 8 gates (0 CX), depth 2 (0 two-qubit), all-to-all
    """

    def _circuit(self, x: ParameterVector) -> QuantumCircuit:
        circuit = QuantumCircuit(len(x), name="SeparableMap")
        circuit.h(range(len(x)))
        for i, feature in enumerate(x):
            circuit.p(feature, i)
        return circuit

    @property
    def scale_rule(self) -> ScaleRule:
        """``"standard"`` with κ = 2.0."""
        return ScaleRule("standard", 2.0)
