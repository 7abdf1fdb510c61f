"""ZZFeatureMap, the default map."""

from __future__ import annotations

from typing import Literal

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qkernels.feature_maps._base import FeatureMap, ScaleRule
from qkernels.feature_maps._entanglement import Coupling, Entanglement, entangled_blocks
from qkernels.feature_maps._pauli import DATA_MAPS, data_phase, evolve_pauli


class ZZFeatureMap(FeatureMap):
    r"""Second-order Pauli-Z feature map.

    Per repetition: H on all qubits; :math:`P(2 x_i)` on qubit i; for each pair (i, j) of the entanglement
    CX(i→j), :math:`P(2 \phi_{ij})` on j, CX(i→j), with :math:`P(\lambda) = \mathrm{diag}(1, e^{i\lambda})`
    and :math:`\phi_{ij} = x_i x_j` (``data_map="product"``) or :math:`(\pi - x_i)(\pi - x_j)`
    (``"havlicek"``).

    Parameters
    ----------
    reps : int, default=2
        Repetitions, at least 1.
    entanglement : str, list of pairs, or mapping {2: list of pairs}, default="linear"
        ``"linear"``, ``"full"``, ``"circular"``, ``"pairwise"``, ``"reverse_linear"``, ``"sca"``, the pairs
        (i, j) themselves, or ``"coupling"``: the device's own pairs, with features laid along a path of the
        device and the pairs in rounds of disjoint ones, which routes without SWAPs.
    data_map : {"product", "havlicek"}, default="product"
        Pair phase. The product vanishes with the bandwidth; the havlicek phase tends to π² instead, which
        defeats bandwidth scaling.
    gate : {"p", "rzz"}, default="p"
        How the pair phase is written: CX, P, CX, or one RZZ(2 φ_ij) (the same unitary up to a global phase)
        for devices with fractional gates.
    coupling : BackendV2, CouplingMap or list of pairs, default=None
        The device of ``entanglement="coupling"``, ignored otherwise. A device is shared by clones and pickled
        as its coupling map.

    See Also
    --------
    PauliFeatureMap : other Pauli strings and factors.
    CPMap : half the qubits.

    Notes
    -----
    Qiskit has a deprecated class of the same name, whose default data map is the havlicek one and whose
    default entanglement is ``"full"``. With ``data_map="havlicek"`` this map equals Qiskit's function
    ``zz_feature_map`` up to a global phase.

    Cost per repetition: d qubits, 2 CX per pair, that is 2(d−1) for ``"linear"`` and d(d−1) for ``"full"``.
    The exact bond dimension of ``"linear"`` with reps=2 is 4.

    References
    ----------
    Havlíček et al., "Supervised learning with quantum-enhanced feature spaces", arXiv:1804.11326.
    Shaydulin and Wild, "Importance of kernel bandwidth in quantum machine learning", arXiv:2111.05451.

    Examples
    --------
    >>> from qkernels.feature_maps import ZZFeatureMap
    >>> ZZFeatureMap()
    ZZFeatureMap()
    >>> print(ZZFeatureMap().resources(30))
    30 qubits, 294 gates (116 CX), depth 97 (62 two-qubit), all-to-all
    >>> ZZFeatureMap(entanglement="coupling", coupling=[(0, 1), (1, 2), (1, 3)]).resources(3).num_cx
    8
    """

    def __init__(
        self,
        reps: int = 2,
        entanglement: Entanglement = "linear",
        data_map: Literal["product", "havlicek"] = "product",
        gate: Literal["p", "rzz"] = "p",
        coupling: Coupling | None = None,
    ) -> None:
        self.reps = reps
        self.entanglement = entanglement
        self.data_map = data_map
        self.gate = gate
        self.coupling = coupling

    def _circuit(self, x: ParameterVector) -> QuantumCircuit:
        reps = self._require_integer("reps", minimum=1)
        self._require_choice("data_map", DATA_MAPS)
        self._require_choice("gate", ("p", "rzz"))
        circuit = QuantumCircuit(len(x), name="ZZFeatureMap")
        for repetition in range(reps):
            circuit.h(range(len(x)))
            for i, feature in enumerate(x):
                circuit.p(2 * feature, i)
            for i, j in entangled_blocks(
                type(self).__name__, self.entanglement, len(x), repetition=repetition, coupling=self.coupling
            ):
                phase = 2 * data_phase(self.data_map, [x[i], x[j]])
                if self.gate == "rzz":
                    circuit.rzz(phase, i, j)
                else:
                    evolve_pauli(circuit, "ZZ", (i, j), phase)
        return circuit

    @property
    def scale_rule(self) -> ScaleRule:
        """``"standard"`` with κ = 0.55 for the product data map, ``"unit"`` for havlicek."""
        return ScaleRule("unit", 1.0) if self.data_map == "havlicek" else ScaleRule("standard", 0.55)
