"""What jobs cost: QPU seconds by IBM's formula, the limits of a job, and the budget that the user sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, isfinite
from numbers import Real

from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2
from qiskit.quantum_info import PauliList

from qkernels._errors import InvalidParameterError
from qkernels.programs import is_count
from qkernels_hardware.work._jobs import MeasuredCircuit

__all__ = [
    "DEFAULT_BLOCK_EXECUTIONS",
    "MAX_EXECUTIONS",
    "MAX_JOB_SECONDS",
    "OPEN_PLAN_SECONDS",
    "Budget",
    "Mitigation",
    "Rates",
    "Runs",
    "circuit_seconds",
    "mitigation_of",
    "most_seconds",
    "rows_per_job",
    "runs_per_row",
]

JOB_SECONDS = 2.0
"""QPU seconds of a job beside its executions (IBM's guide to estimating usage)."""

MAX_EXECUTIONS = 10_000_000
"""Rows times shots of one Sampler job (IBM's job limits, 2026)."""

MAX_CONTROLS_PER_QUBIT = 26_800_000
"""Control instructions on one qubit in one job (the same page)."""

CONTROLS = {"rz": 1, "delay": 1, "sx": 2, "x": 2, "rx": 2, "cz": 5, "cx": 5, "ecr": 5, "rzz": 5, "measure": 10}
"""Control instructions of an instruction (the same page); rx and rzz are taken as sx and cz are."""

OTHER_CONTROLS = 17
"""Of a reset, the dearest of the page; for what the page does not list."""

INITIALISATION = 50
"""Control instructions of a qubit at the start of an execution (the same page)."""

NOISE_FACTORS = (1.0, 3.0, 5.0)
"""Of zero-noise extrapolation in the client, unless the user says otherwise."""

MOST_RANDOMIZATIONS = 32
"""Random circuits of twirling in the client, unless the user says otherwise."""

LEAST_SHOTS_EACH = 64
"""Shots of a random circuit in the client, unless the user says otherwise."""

MAX_JOB_SECONDS = 10_800
"""The longest maximum execution time that the service takes: 3 hours."""

TIME_MARGIN = 2.0
"""Times its estimate that a job may take: one that is stopped has no results and is billed all the same."""

OPEN_PLAN_SECONDS = 600.0
"""QPU seconds of an Open Plan in 28 days."""

DEFAULT_REP_DELAY = 250e-6
"""Seconds between executions where a backend does not say (Heron)."""

DEFAULT_BLOCK_EXECUTIONS = 2_000_000
"""Rows times shots of one job unless the user says otherwise: what one lost job costs, about 9 minutes on a Heron."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that the jobs of one ledger may cost, over all processes that use it.

    Parameters
    ----------
    qpu_seconds : float > 0, optional
        Of jobs that ran, that wait, and that would be submitted. None is no limit.
    jobs : int >= 1, optional
        Submissions. None is no limit.

    Raises
    ------
    InvalidParameterError
        A limit is not positive.

    Notes
    -----
    It is checked before anything of a request is submitted, and again before every job: with what earlier jobs were
    really billed. What a ledger has already paid counts, so that a process that dies and comes back spends nothing
    twice.

    Examples
    --------
    >>> from qkernels_hardware import Budget
    >>> Budget(qpu_seconds=120)
    Budget(qpu_seconds=120, jobs=None)
    """

    qpu_seconds: float | None = None
    jobs: int | None = None

    def __post_init__(self) -> None:
        seconds = self.qpu_seconds
        if seconds is not None and not (
            isinstance(seconds, Real) and not isinstance(seconds, bool) and isfinite(seconds) and seconds > 0
        ):
            raise InvalidParameterError(
                f"qpu_seconds of Budget must be None or a finite number > 0, got {self.qpu_seconds!r}."
            )
        if self.jobs is not None and (not is_count(self.jobs) or self.jobs < 1):
            raise InvalidParameterError(f"jobs of Budget must be None or an integer >= 1, got {self.jobs!r}.")

    def is_exceeded_by(self, seconds: float) -> bool:
        """Whether that many QPU seconds are too many, but for the rounding of a sum over jobs.

        Parameters
        ----------
        seconds : float
            Paid, under way, and asked for.

        Returns
        -------
        bool
        """
        return self.qpu_seconds is not None and seconds > self.qpu_seconds * (1 + 1e-9)

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.qpu_seconds is not None or self.jobs is not None


@dataclass(frozen=True, slots=True)
class Rates:
    """How a device bills, and for how long.

    Attributes
    ----------
    rep_delay : float
        Seconds between executions.
    limit : int
        QPU seconds after which a job is stopped.
    """

    rep_delay: float = DEFAULT_REP_DELAY
    limit: int = MAX_JOB_SECONDS

    @classmethod
    def of(cls, backend: BackendV2, delay: float | None = None, limit: int | None = None) -> Rates:
        """Of a backend; the others are `rep_delay` and `max_execution_time` in the options of the user."""
        if delay is None:
            delay = getattr(backend, "default_rep_delay", None) or DEFAULT_REP_DELAY
        return cls(float(delay), MAX_JOB_SECONDS if limit is None else limit)

    def seconds(self, executions: int, duration: float) -> float:
        """QPU seconds of one job.

        Parameters
        ----------
        executions : int
        duration : float
            Seconds of one circuit.

        Returns
        -------
        float

        References
        ----------
        IBM Quantum documentation, "Estimate job run time".
        """
        return JOB_SECONDS + (self.rep_delay + duration) * executions


def circuit_seconds(circuit: QuantumCircuit, backend: BackendV2) -> float:
    """Seconds that one execution of a transpiled circuit takes; 0 where the backend knows no durations."""
    try:
        return float(circuit.estimate_duration(backend.target))
    except (QiskitError, TypeError, ValueError):
        return 0.0


def rows_per_job(measured: MeasuredCircuit, executions: int, block_executions: int, rates: Rates) -> int:
    """Rows of parameter values that one job takes, so that it ends well before it is stopped.

    Parameters
    ----------
    measured : MeasuredCircuit
    executions : int
        Of one row.
    block_executions : int
        What the user wants to risk with one job.
    rates : Rates

    Returns
    -------
    int >= 1

    Raises
    ------
    InvalidParameterError
        One row takes too long for a job.
    """
    circuit = measured.circuit
    controls: Counter[int] = Counter()
    for item in circuit.data:
        if item.operation.name != "barrier":
            for qubit in item.qubits:
                controls[circuit.find_bit(qubit).index] += CONTROLS.get(item.operation.name, OTHER_CONTROLS)
    busiest = max(controls.values(), default=0) + INITIALISATION
    by_controls = MAX_CONTROLS_PER_QUBIT // busiest
    by_executions = min(block_executions, MAX_EXECUTIONS) // executions
    most = max(1, min(by_controls, by_executions))
    left = rates.limit / TIME_MARGIN - JOB_SECONDS
    row = rates.seconds(executions, measured.duration) - JOB_SECONDS
    if row > left:
        raise _row_too_long(executions, rates, measured.duration)
    return most if row * most <= left else int(left / row)


def _row_too_long(executions: int, rates: Rates, duration: float) -> InvalidParameterError:
    seconds = ceil(TIME_MARGIN * rates.seconds(executions, duration))
    row = f"one row of values is {executions:,} executions, and its job is given {seconds:,} s, twice its estimate"
    if seconds > MAX_JOB_SECONDS:
        return InvalidParameterError(
            f"shots of RuntimeEngine must fit into a job, which may take {MAX_JOB_SECONDS:,} s of QPU time; {row}. Use "
            "fewer shots."
        )
    return InvalidParameterError(
        f"max_execution_time in options of RuntimeEngine must leave time for one row of a job, got {rates.limit} s; "
        f"{row}. Use at least {seconds}, or fewer shots."
    )


@dataclass(frozen=True, slots=True)
class Runs:
    """Executions of one row of values; call it with the shots that are asked for.

    Attributes
    ----------
    circuits : int
        That the device makes of a row.
    twirls : bool
        Whether shots are spread over random circuits, and their number is rounded up.
    randomizations, shots_each : int or None
        How many random circuits, and shots of each; None is left to the client. With both, nobody asks for the shots.
    """

    circuits: int = 1
    twirls: bool = False
    randomizations: int | None = None
    shots_each: int | None = None

    def __call__(self, shots: int) -> int:
        """Executions, as billed."""
        count, each = self.spread(shots)
        return self.circuits * count * each

    def spread(self, shots: int) -> tuple[int, int]:
        """Random circuits that stand for one circuit, and shots of each."""
        if not self.twirls:
            return 1, shots
        each, count = self.shots_each, self.randomizations
        if each is None:
            each = ceil(shots / count) if count else max(LEAST_SHOTS_EACH, ceil(shots / MOST_RANDOMIZATIONS))
        return count or ceil(shots / each), each


def runs_per_row(measured: MeasuredCircuit, options: Mapping[str, object]) -> Runs:
    """What a device runs for one row of values: for an Estimator a circuit for every basis and noise factor.

    Parameters
    ----------
    measured : MeasuredCircuit
    options : mapping
        Of the primitive.

    Returns
    -------
    Runs
    """
    mitigation = mitigation_of(options, estimator=bool(measured.observables))
    labels = {label for one in measured.observables for label in one.paulis.to_labels() if set(label) != {"I"}}
    bases = len(PauliList(sorted(labels)).group_qubit_wise_commuting()) if labels else 1
    return replace(mitigation.runs, circuits=bases * max(1, len(mitigation.noise_factors)))


@dataclass(frozen=True, slots=True)
class Mitigation:
    """What options ask for beside measuring: twirling, and the error mitigation of an Estimator.

    Attributes
    ----------
    runs : Runs
        Of one circuit in one basis.
    twirls_measurements : bool
        Whether random bits are flipped before the measurement, and back after it.
    mitigates_readout : bool
        TREX: readout errors are learned in the same job, and divided out of every Pauli string.
    noise_factors : tuple of float
        Of zero-noise extrapolation; empty without it.
    learning : int or None
        Random circuits from which readout errors are learned; None is as many as of a row.
    """

    runs: Runs
    twirls_measurements: bool
    mitigates_readout: bool = False
    noise_factors: tuple[float, ...] = ()
    learning: int | None = None


def mitigation_of(options: Mapping[str, object], *, estimator: bool) -> Mitigation:
    """Read options as the client does.

    Parameters
    ----------
    options : mapping
        Of the primitive.
    estimator : bool

    Returns
    -------
    Mitigation
    """
    twirling, resilience = _mapping(options.get("twirling")), _mapping(options.get("resilience"))
    spread = (_number(twirling.get(name)) for name in ("num_randomizations", "shots_per_randomization"))
    level = options.get("resilience_level", 1) if estimator else 0
    mitigates = estimator and _chosen(resilience.get("measure_mitigation"), level != 0)
    measures = _chosen(twirling.get("enable_measure"), level != 0) or mitigates
    gates = _chosen(twirling.get("enable_gates"), level == 2)
    factors: tuple[float, ...] = ()
    if estimator and _chosen(resilience.get("zne_mitigation"), level == 2):
        given = _mapping(resilience.get("zne")).get("noise_factors", "auto")
        factors = tuple(map(float, given)) if isinstance(given, list) else NOISE_FACTORS
    learning = _number(_mapping(resilience.get("measure_noise_learning")).get("num_randomizations"))
    return Mitigation(Runs(1, gates or measures, *spread), measures, mitigates, factors, learning)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _chosen(value: object, default: bool) -> bool:
    return default if value is None else bool(value)


def most_seconds(estimate: float) -> int:
    """Maximum execution time of a job: twice its estimate."""
    return max(1, min(MAX_JOB_SECONDS, ceil(TIME_MARGIN * estimate)))
