"""PauliFeatureMap: Pauli evolutions with data-dependent angles; also what ZZFeatureMap is made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise
from math import pi
from operator import mul

from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression, ParameterVector

from qkernels._errors import InvalidParameterError
from qkernels.feature_maps._base import FeatureMap, ScaleRule
from qkernels.feature_maps._entanglement import Coupling, Entanglement, entangled_blocks

DATA_MAPS = ("product", "havlicek")


class PauliFeatureMap(FeatureMap):
    r"""Pauli-expansion feature map.

    Per repetition: H on all qubits, then for each Pauli string S of `paulis` and each block of qubits
    :math:`\exp(-i \frac{\alpha}{2} \phi_S(x) P_S)`. For one qubit :math:`\phi_i(x) = x_i`. For a block S of
    several, :math:`\phi_S(x) = \prod_{i \in S} x_i` with ``data_map="product"``, or
    :math:`\prod_{i \in S} (\pi - x_i)` with ``data_map="havlicek"``.

    Parameters
    ----------
    reps : int, default=2
        Repetitions, at least 1.
    paulis : sequence of str, default=("Z", "ZZ")
        Strings over I, X, Y, Z; as in Qiskit the rightmost letter acts on the first qubit of a block. Strings
        longer than the number of features are left out only where d is 1 (so that ("Z", "ZZ") takes one
        feature).
    entanglement : str, sequence of tuples, or mapping, default="linear"
        Blocks of qubits: ``"linear"``, ``"full"``, ``"circular"``, ``"pairwise"``, ``"reverse_linear"``,
        ``"sca"``, ``"coupling"`` (the device's own pairs, see `coupling`), a list of qubit tuples, or a
        mapping of block size to such a list. One-letter strings act on all qubits unless a mapping says
        otherwise.
    data_map : {"product", "havlicek"}, default="product"
        Pair phase :math:`x_i x_j` (it vanishes with the bandwidth), or :math:`(\pi - x_i)(\pi - x_j)` (it
        does not).
    alpha : float, default=2.0
        Rotation factor, not 0.
    coupling : BackendV2, CouplingMap or list of pairs, default=None
        The device of ``entanglement="coupling"``, ignored otherwise. A device is shared by clones and pickled
        as its coupling map.

    See Also
    --------
    ZZFeatureMap : the case ("Z", "ZZ"), with a choice of gates.

    Notes
    -----
    Qiskit has a deprecated class of the same name, whose default data map is the havlicek one and whose
    default entanglement is ``"full"``. With ``data_map="havlicek"`` this map equals Qiskit's function
    ``pauli_feature_map`` up to a global phase.

    Cost per repetition: d qubits; a string with w ≥ 2 letters other than I has 2(w−1) CX per block.

    References
    ----------
    Havlíček et al., "Supervised learning with quantum-enhanced feature spaces", arXiv:1804.11326.
    Shaydulin and Wild, "Importance of kernel bandwidth in quantum machine learning", arXiv:2111.05451.

    Examples
    --------
    >>> from qkernels.feature_maps import PauliFeatureMap
    >>> feature_map = PauliFeatureMap(reps=1, paulis=("Z", "XX"))
    >>> feature_map
    PauliFeatureMap(reps=1, paulis=('Z', 'XX'))
    >>> feature_map.resources(3).num_cx
    4
    """

    def __init__(
        self,
        reps: int = 2,
        paulis: Sequence[str] = ("Z", "ZZ"),
        entanglement: Entanglement = "linear",
        data_map: str = "product",
        alpha: float = 2.0,
        coupling: Coupling | None = None,
    ) -> None:
        self.reps = reps
        self.paulis = paulis
        self.entanglement = entanglement
        self.data_map = data_map
        self.alpha = alpha
        self.coupling = coupling

    def _circuit(self, x: ParameterVector) -> QuantumCircuit:
        reps = self._require_integer("reps", minimum=1)
        alpha = self._require_number("alpha", "a finite number other than 0", lambda value: value != 0)
        self._require_choice("data_map", DATA_MAPS)
        paulis = self._checked_paulis(len(x))
        circuit = QuantumCircuit(len(x), name="PauliFeatureMap")
        for repetition in range(reps):
            circuit.h(range(len(x)))
            for pauli in paulis:
                for block in entangled_blocks(
                    type(self).__name__,
                    self.entanglement,
                    len(x),
                    block_size=len(pauli),
                    repetition=repetition,
                    coupling=self.coupling,
                ):
                    phase = alpha * data_phase(self.data_map, [x[i] for i in block])
                    evolve_pauli(circuit, pauli, block, phase)
        return circuit

    @property
    def scale_rule(self) -> ScaleRule:
        """``"standard"`` with κ = 1.1/|α| (0.55 at α = 2) for the product data map, else ``"unit"``."""
        if self.data_map == "havlicek":
            return ScaleRule("unit", 1.0)
        return ScaleRule("standard", 1.1 / abs(float(self.alpha)))

    def _checked_paulis(self, num_qubits: int) -> list[str]:
        owner = type(self).__name__
        if isinstance(self.paulis, str) or not isinstance(self.paulis, Sequence) or not self.paulis:
            raise InvalidParameterError(
                f"{owner}: paulis must be a non-empty sequence of Pauli strings such as ('Z', 'ZZ'); "
                f"got {self.paulis!r}."
            )
        for pauli in self.paulis:
            if not isinstance(pauli, str) or not pauli or set(pauli.upper()) - set("IXYZ"):
                raise InvalidParameterError(f"{owner}: paulis must hold strings over I, X, Y and Z; got {pauli!r}.")
            if not set(pauli.upper()) - {"I"}:
                raise InvalidParameterError(
                    f"{owner}: paulis must hold strings with a letter other than I (no phase otherwise); got {pauli!r}."
                )
            if len(pauli) > num_qubits > 1:
                raise InvalidParameterError(
                    f"{owner}: paulis must not be longer than the number of features, {num_qubits}; got {pauli!r}."
                )
        kept = [pauli.upper() for pauli in self.paulis if len(pauli) <= num_qubits]
        if not kept:
            raise InvalidParameterError(
                f"{owner}: paulis must not all be longer than the number of features; got {self.paulis!r} "
                f"for {num_qubits} feature(s). Add 'Z'."
            )
        return kept


def data_phase(data_map: str, features: Sequence[ParameterExpression]) -> ParameterExpression:
    """Return φ of one block: the feature itself, or the product of (π − x_i) or of x_i over the block."""
    if len(features) == 1:
        return features[0]
    return reduce(mul, [pi - feature if data_map == "havlicek" else feature for feature in features])


def evolve_pauli(circuit: QuantumCircuit, pauli: str, block: Sequence[int], phase: ParameterExpression) -> None:
    """Append diag(1, e^{i·phase}) on the parity of `pauli` over `block`: exp(−i·phase/2·P) up to a phase."""
    active = [(qubit, letter) for qubit, letter in zip(block, reversed(pauli), strict=True) if letter != "I"]
    for qubit, letter in active:
        if letter == "X":
            circuit.h(qubit)
        elif letter == "Y":
            circuit.sx(qubit)
    chain = [qubit for qubit, _ in active]
    for control, target in pairwise(chain):
        circuit.cx(control, target)
    circuit.p(phase, chain[-1])
    for control, target in reversed(list(pairwise(chain))):
        circuit.cx(control, target)
    for qubit, letter in active:
        if letter == "X":
            circuit.h(qubit)
        elif letter == "Y":
            circuit.sxdg(qubit)
