"""Composed defaults: parameters whose default object is made fresh for every owner."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

from sklearn.base import BaseEstimator

from qkernels._errors import InvalidParameterError

__all__ = ["ComposedDefaultsMixin"]


class ComposedDefaultsMixin:
    """Mixin for estimators whose composed parameters default to None.

    A default *instance* in a signature would be shared by all estimators, so composed defaults are None and resolved
    in ``fit``. Two things then need care, both done here:

    - ``set_params(kernel__bandwidth=0.3)`` while ``kernel`` is None first stores a fresh default there, so parameter
      searches reach inside the bare default and two instances stay independent;
    - the representation of a fitted object shows what was chosen for each None.

    ``get_params(deep=True)`` lists what is stored, as everywhere in scikit-learn: nothing below a None.

    Examples
    --------
    >>> from qkernels import QuantumKernelSVC
    >>> QuantumKernelSVC().set_params(kernel__bandwidth=0.3, kernel__feature_map__reps=1)
    QuantumKernelSVC(kernel=FidelityKernel(bandwidth=0.3, feature_map=ZZFeatureMap(reps=1)))
    """

    _composed_defaults: ClassVar[Mapping[str, Callable[[], BaseEstimator]]] = {}
    """Parameter name → maker of its default, for the defaults that have parameters of their own."""

    _shown_when_fitted: ClassVar[tuple[str, ...]] = ()
    """Parameters whose None is shown as the fitted ``<name>_`` in the representation."""

    def set_params(self, **params: object) -> Self:
        """Set parameters, nested ones as ``<component>__<parameter>``.

        Parameters
        ----------
        **params : object
            Own parameters first, then nested ones. Below a composed parameter that is None, a fresh default is stored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Unknown parameter name.
        InvalidParameterError
            A nested name below a value that has no parameters of its own (an engine, a callable, ``"precomputed"``).
        """
        own = {name: value for name, value in params.items() if "__" not in name}
        super().set_params(**own)  # type: ignore[misc]
        below: dict[str, dict[str, object]] = {}
        for name, value in params.items():
            component, delimiter, rest = name.partition("__")
            if delimiter:
                below.setdefault(component, {})[rest] = value
        for component, nested in below.items():
            self._set_below(component, nested)
        return self

    def _set_below(self, component: str, nested: dict[str, object]) -> None:
        known = component in self._get_param_names()  # type: ignore[attr-defined]
        current = getattr(self, component, None)
        if known and current is None and component in self._composed_defaults:
            fresh = self._composed_defaults[component]()
            fresh.set_params(**nested)
            setattr(self, component, fresh)
            return
        if known and not hasattr(current, "set_params"):
            name = f"{component}__{next(iter(nested))}"
            raise InvalidParameterError(
                f"{name} of {type(self).__name__} cannot be set: {component} is {current!r}, which has no parameters "
                f"of its own. Set {component} to a whole object instead."
            )
        super().set_params(**{f"{component}__{name}": v for name, v in nested.items()})  # type: ignore[misc]

    def _resolved(self) -> Self:
        """A copy for display, with what `fit` chose in place of each None."""
        shown = copy.copy(self)
        for name in self._shown_when_fitted:
            chosen = getattr(self, f"{name}_", None)
            is_empty = isinstance(chosen, list) and not chosen
            if getattr(self, name, None) is None and chosen is not None and not is_empty:
                setattr(shown, name, chosen)
        return shown

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        shown = self._resolved()
        for name, value in shown.get_params(deep=False).items():  # type: ignore[attr-defined]
            setattr(shown, name, _in_its_own_words(value))
        return str(super(ComposedDefaultsMixin, shown).__repr__(N_CHAR_MAX))  # type: ignore[call-arg]


class _Text(str):
    """Text that stands for an object in a representation."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _in_its_own_words(value: object) -> object:
    """Nested estimators as their own repr: scikit-learn's printer walks into them past it."""
    if isinstance(value, BaseEstimator):
        return _Text(repr(value))
    if type(value) in (list, tuple):
        return type(value)(_in_its_own_words(item) for item in value)  # type: ignore[attr-defined,call-arg]
    return value
