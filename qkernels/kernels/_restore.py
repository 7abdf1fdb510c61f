"""A fit is all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["unchanged_on_failure"]


@contextmanager
def unchanged_on_failure(estimator: object) -> Iterator[None]:
    """Context in which an estimator gets its attributes back when the body raises.

    Validation alone already stores ``n_features_in_``; an estimator whose second fit fails later would otherwise be
    half of the first fit and half of the second, and refuse the data of both.

    Parameters
    ----------
    estimator : object
        Its attributes are remembered, not copied: the body must replace fitted objects, not change them in place.

    Yields
    ------
    None

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from qkernels.kernels import unchanged_on_failure
    >>> model = SimpleNamespace(n_features_in_=4)
    >>> try:
    ...     with unchanged_on_failure(model):
    ...         model.n_features_in_ = 8
    ...         raise ValueError("one class")
    ... except ValueError:
    ...     model.n_features_in_
    4
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
