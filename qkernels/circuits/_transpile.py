"""Transpilation of parametric circuits for a device: phase-stripped first, once for all data points."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit.transpiler import generate_preset_pass_manager

from qkernels._errors import InvalidParameterError
from qkernels.circuits._phases import StrippedCircuit, strip_phases


def transpile_for(
    circuit: QuantumCircuit,
    backend: BackendV2,
    optimization_level: int = 3,
    seed_transpiler: int = 0,
    initial_layout: Sequence[int] | None = None,
) -> StrippedCircuit:
    """Transpile a circuit for a device, with its parameters still free.

    Parameters
    ----------
    circuit : QuantumCircuit
        Any circuit that `strip_phases` takes.
    backend : BackendV2
        A device or device model. Names like ``"fake_fez"`` are resolved by
        ``qkernels_hardware.device_model``.
    optimization_level : int in {0, 1, 2, 3}, default=3
        Qiskit's preset. A labelled barrier separates two halves soundly at levels 2 and 3.
    seed_transpiler : int, default=0
        Layout and routing are heuristic; a fixed seed makes them repeatable.
    initial_layout : sequence of int, length circuit.num_qubits, optional
        Physical qubit of each circuit qubit. By default the transpiler chooses.

    Returns
    -------
    StrippedCircuit
        The transpiled circuit (global phase 0), its angle parameters, and the expressions they stand for. The
        transpiler may drop an angle that has no effect.

    Raises
    ------
    InvalidParameterError
        If `backend` is not a BackendV2, has fewer qubits than the circuit, or `optimization_level` or
        `initial_layout` is out of range.
    UnsupportedCircuitError
        If `circuit` cannot be phase-stripped.

    Notes
    -----
    Cost: seconds for 100 qubits. Without stripping the time grows exponentially with the number of P(x_i)
    gates.

    Examples
    --------
    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import ParameterVector
    >>> from qiskit.providers.fake_provider import GenericBackendV2
    >>> from qkernels.circuits import transpile_for
    >>> x = ParameterVector("x", 1)
    >>> circuit = QuantumCircuit(1)
    >>> circuit.h(0)  # doctest: +ELLIPSIS
    <...>
    >>> circuit.p(2 * x[0], 0)  # doctest: +ELLIPSIS
    <...>
    >>> on_device = transpile_for(circuit, GenericBackendV2(3, seed=1))
    >>> on_device.circuit.num_qubits, len(on_device.expressions)
    (3, 1)
    """
    if not isinstance(backend, BackendV2):
        raise InvalidParameterError(
            "transpile_for: backend must be a qiskit BackendV2 object; got "
            f"{backend!r}. Turn a name into a device model with qkernels_hardware.device_model(name)."
        )
    if optimization_level not in (0, 1, 2, 3):
        raise InvalidParameterError(
            f"transpile_for: optimization_level must be 0, 1, 2 or 3; got {optimization_level!r}."
        )
    available = backend.num_qubits
    if available is not None and circuit.num_qubits > available:
        raise InvalidParameterError(
            f"transpile_for: the circuit has {circuit.num_qubits} qubits; backend {backend.name!r} has "
            f"{available}. Reduce the features (e.g. PCA) or choose a larger device."
        )
    if initial_layout is not None:
        _check_layout(list(initial_layout), circuit.num_qubits, available)
    stripped = strip_phases(circuit)
    pass_manager = generate_preset_pass_manager(
        optimization_level=optimization_level,
        backend=backend,
        seed_transpiler=seed_transpiler,
        initial_layout=None if initial_layout is None else list(initial_layout),
    )
    transpiled = pass_manager.run(stripped.circuit)
    if any(item.operation.name == "global_phase" for item in transpiled.data):  # passes that wrap angles write it so
        transpiled.data = [item for item in transpiled.data if item.operation.name != "global_phase"]
    transpiled.global_phase = 0
    return StrippedCircuit(transpiled, stripped.angles, stripped.expressions)


def _check_layout(layout: list[int], num_qubits: int, available: int | None) -> None:
    in_range = available is None or all(0 <= qubit < available for qubit in layout)
    if len(layout) != num_qubits or len(set(layout)) != len(layout) or not in_range:
        raise InvalidParameterError(
            f"transpile_for: initial_layout must hold {num_qubits} different qubits of the backend "
            f"(0 to {(available or 0) - 1}); got {layout}."
        )
