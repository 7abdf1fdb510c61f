"""What is known of optimizer objects: when they are through an iteration, how many they take, how they are set."""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkernels.programs import is_count, setting_attributes, settings_text
from qkernels.variational._aqgd import AQGD

__all__ = [
    "has_converged",
    "is_library_optimizer",
    "iteration_limit",
    "listening",
    "may_draw",
    "object_settings",
    "scipy_callback",
    "tells",
    "with_limit",
]

Step = Callable[[NDArray[np.float64], float | None], None]

_LIMITS_EVALUATIONS = ("cobyla", "tnc")
"""Methods of scipy whose limit is one of evaluations, while their callback counts iterations."""

_COMPARED_STEPS = 100
"""Values of a schedule that a checkpoint belongs to, whatever the limit of iterations is."""


def is_library_optimizer(optimizer: object) -> bool:
    """Whether it is one of qiskit-machine-learning's."""
    if "qiskit_machine_learning" not in sys.modules:  # not imported: nobody can have made one
        return False
    from qiskit_machine_learning.optimizers import Optimizer

    return isinstance(optimizer, Optimizer)


def may_draw(optimizer: object) -> bool:
    """Whether it may take random numbers of qiskit-machine-learning, of which a process has one generator."""
    if "qiskit_machine_learning" not in sys.modules:
        return False
    from qiskit_machine_learning.optimizers import GSLS, P_BFGS, SPSA, UMDA

    is_known = isinstance(optimizer, AQGD) or type(optimizer).__module__.startswith("qiskit_machine_learning.")
    return isinstance(optimizer, (GSLS, P_BFGS, SPSA, UMDA)) or not is_known


# Iterations -----------------------------------------------------------------------------------------------------------


def tells(optimizer: object) -> bool:
    """Whether an object can say that an iteration is done, at no further evaluation."""
    if not is_library_optimizer(optimizer):
        return False
    from qiskit_machine_learning.optimizers import SPSA, UMDA, SciPyOptimizer

    if isinstance(optimizer, SciPyOptimizer):
        return not _limits_evaluations(optimizer)
    return isinstance(optimizer, (SPSA, UMDA))


def listening(optimizer: Any, step: Step) -> Any:
    """A copy that reports its iterations, whatever else it reports to."""
    from qiskit_machine_learning.optimizers import SciPyOptimizer

    heard = copy.copy(optimizer)
    if isinstance(optimizer, SciPyOptimizer):
        own = optimizer._kwargs.get("callback")
        heard._kwargs = {**optimizer._kwargs, "callback": scipy_callback(step, own)}
        return heard
    # the callback of SPSA would cost a loss for every iteration; its check for termination comes with an estimate
    name = "termination_checker" if hasattr(optimizer, "termination_checker") else "callback"
    own = getattr(optimizer, name)

    def told(nfev: int, point: Any, loss: Any, *details: Any) -> Any:
        step(np.array(point, dtype=np.float64), float(loss))
        return None if own is None else own(nfev, point, loss, *details)

    setattr(heard, name, told)
    return heard


def scipy_callback(step: Step, own: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """A callback for ``scipy.optimize.minimize``, before the one that there is."""
    if own is None:
        return lambda point, *_: step(np.array(point, dtype=np.float64), None)

    @functools.wraps(own)  # scipy looks at the names of the parameters
    def told(*args: Any, **named: Any) -> Any:
        point = args[0] if args else named["intermediate_result"].x
        step(np.array(point, dtype=np.float64), None)
        return own(*args, **named)

    return told


# Limits ---------------------------------------------------------------------------------------------------------------


def iteration_limit(optimizer: Any) -> int | None:
    """Iterations that an object takes at most, as they are counted here; None where that is not known."""
    place, name = _limit_place(optimizer)
    limit: Any = place.get(name)
    return int(limit) if is_count(limit) else None


def with_limit(optimizer: Any, limit: int | None) -> Any:
    """A copy with another limit; with its own where that is not known, already the other one, or of evaluations.

    Scipy's methods with a limit of evaluations refuse small ones. Objects of other makers are not copied.
    """
    is_set = limit is not None and iteration_limit(optimizer) is not None and not _limits_evaluations(optimizer)
    if not is_set and not _wraps_scipy(optimizer):
        return optimizer
    limited = copy.copy(optimizer)
    if _wraps_scipy(optimizer):  # TNC of qiskit-machine-learning renames an option while it runs
        limited._options = dict(optimizer._options)
    if is_set:
        place, name = _limit_place(limited)
        place[name] = limit
    return limited


def has_converged(optimizer: Any, found: Any, num_steps: int) -> bool | None:
    """Whether an object has ended by itself before its limit; None where that is not known.

    Parameters
    ----------
    optimizer : object
    found : object
        What its ``minimize`` returned.
    num_steps : int
        Iterations as they were counted here.
    """
    steps, limit = getattr(found, "nit", None), getattr(optimizer, "max_iter", None)
    if steps is None or limit is None:
        steps = steps if steps is not None and tells(optimizer) else num_steps
        limit = iteration_limit(optimizer) if _has_criterion(optimizer) else None
    if limit is None or (steps < limit and hasattr(optimizer, "_dead_iter")):  # UMDA's patience grows with its limit
        return None
    return bool(steps < limit)


def _limit_place(optimizer: Any) -> tuple[dict[str, Any], str]:
    """Where an object keeps its limit, where that is one of what is counted here."""
    if isinstance(optimizer, AQGD) and optimizer.needs_gradient:  # of loss shifts, losses are counted
        return vars(optimizer), "max_iter"
    if is_library_optimizer(optimizer):
        from qiskit_machine_learning.optimizers import ADAM, SPSA, UMDA, GradientDescent, SciPyOptimizer

        if isinstance(optimizer, SciPyOptimizer):
            return optimizer._options, "maxiter"
        if isinstance(optimizer, (ADAM, UMDA)):
            return vars(optimizer), "_maxiter"
        if isinstance(optimizer, (GradientDescent, SPSA)):
            return vars(optimizer), "maxiter"
    return {}, ""


def _wraps_scipy(optimizer: Any) -> bool:
    if not is_library_optimizer(optimizer):
        return False
    from qiskit_machine_learning.optimizers import SciPyOptimizer

    return isinstance(optimizer, SciPyOptimizer)


def _limits_evaluations(optimizer: Any) -> bool:
    return getattr(optimizer, "_method", None) in _LIMITS_EVALUATIONS


def _has_criterion(optimizer: Any) -> bool:
    """Whether an object of known limit has another end than its last iteration."""
    if isinstance(optimizer, AQGD):
        return True
    from qiskit_machine_learning.optimizers import NFT, SPSA

    checks = getattr(optimizer, "termination_checker", None) is not None
    return checks if isinstance(optimizer, SPSA) else not isinstance(optimizer, NFT)


# Settings -------------------------------------------------------------------------------------------------------------


def object_settings(optimizer: Any) -> str:
    """Settings of an object as text that is the same in every process, without a limit that is known."""
    if isinstance(optimizer, AQGD):
        settings = dict(vars(optimizer))
    elif is_library_optimizer(optimizer):
        try:
            settings = dict(optimizer.settings)
        except NotImplementedError:  # of an optimizer that somebody derived
            return settings_text(_own(optimizer))
    else:
        return settings_text(_own(optimizer))
    settings.pop("callback", None)  # it watches, and decides nothing
    if "termination_checker" in settings:  # which may remember the losses that it has seen
        settings["termination_checker"] = _own(settings["termination_checker"], only_parameters=True)
    for name in ("learning_rate", "perturbation"):
        schedule = getattr(optimizer, name, None)
        if callable(schedule):  # the settings hold as many values as the limit says
            settings[name] = list(islice(schedule(), _COMPARED_STEPS))
    if iteration_limit(optimizer) is not None:
        for held in (settings, settings.get("options", {})):
            held.pop("maxiter", None)
            held.pop("max_iter", None)
    return f"{type(optimizer).__module__}.{type(optimizer).__qualname__}({settings_text(settings)})"


def _own(thing: Any, *, only_parameters: bool = False) -> object:
    """An object of other makers as its class and settings; as it is where it says by ``__getstate__`` what they are."""
    kind: Any = type(thing)
    is_code = hasattr(thing, "__qualname__")
    if is_code or not hasattr(thing, "__dict__") or kind.__getstate__ is not object.__getstate__:
        return thing
    return kind, setting_attributes(thing, only_parameters=only_parameters)
