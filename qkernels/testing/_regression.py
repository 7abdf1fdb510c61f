"""KernelRegression: a kernel matrix stored beside a test, and what changed when it differs later."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_array

from qkernels._errors import InvalidParameterError
from qkernels.kernels import QuantumKernel
from qkernels.testing._close import compare
from qkernels.testing._provenance import Json, describe, differences
from qkernels.testing._reference import KernelReference
from qkernels.testing._sides import Side

__all__ = ["KernelRegression"]

_OPTION = "--update-kernel-references"
_RESAMPLED = frozenset({"shots", "seed", "versions"})
"""Topics whose change may be a reason for other draws of the same values."""

_DRAWING = ("qkernels", "qiskit", "qiskit-aer", "numpy", "scipy")
"""Packages whose other versions may draw otherwise from the same values."""

_LONGEST = 255
"""Bytes of a file name that file systems take."""

_FORBIDDEN = frozenset('/\\:*?"<>|')
"""Characters that some file system does not take in a name."""

Values = NDArray[np.float64]


class KernelRegression:
    """Compares training matrices with stored ones; what the pytest fixture ``kernel_regression`` gives.

    The fixture stores the files of ``tests/test_noise.py`` in ``tests/kernel_references/``, one for each test (and for
    each `name` given to `check`). They are made for version control: JSON, one row per line, with the provenance of the
    numbers (noise profile, program key, feature map, shots, seed, versions) in front of them.

    Parameters
    ----------
    folder : Path
        Where the references are.
    test : str
        Name of the files, without ".json"; without "@", which separates it from the `name` given to `check`.
    update : bool, default=False
        Write fresh references instead of comparing: what ``pytest --update-kernel-references`` sets.
    command : str, default="pytest"
        How to run the test again, for messages.
    on_write : callable, optional
        Called with the path of every file that is written.

    Raises
    ------
    InvalidParameterError
        `test` is no part of a file name, or contains "@".

    See Also
    --------
    assert_kernels_close : how sampled matrices are compared.

    Notes
    -----
    The numbers decide, and the provenance explains:

    - exact values agree up to `atol`;
    - sampled values agree where they are the same draws. They are a function of the circuit, the noise and the data, so
      this finds changes far below shot noise;
    - other draws agree only if nothing changed but what draws: shots, seed, and the versions of qkernels, qiskit,
      qiskit-aer, numpy and scipy, one of them at least; and if `assert_kernels_close` says so. Then nothing fails, and
      the file keeps its provenance until it is updated;
    - ``same_draws=False`` leaves it to `assert_kernels_close` whatever changed, but for data and corrections;
    - the matrices after corrections agree up to `atol` where those before are the same numbers. Where these are drawn
      anew, the corrections have to have the same parameters;
    - sampled entries that are no frequencies (Hamming, projected and combined kernels, extrapolated values) have no
      exact test: only the same draws agree;
    - other data are always a failure.

    Cost: that of fitting the kernel. A file takes 10 to 20 bytes for every pair of rows, so some tens of rows are a
    good size.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> from qkernels import FidelityKernel
    >>> from qkernels.testing import KernelRegression
    >>> X = np.linspace(0.0, 1.0, 8).reshape(4, 2)
    >>> KernelRegression(Path("references"), "test_gram", update=True).check(FidelityKernel(), X)
    >>> KernelRegression(Path("references"), "test_gram").check(FidelityKernel(), X)
    >>> KernelRegression(Path("references"), "test_gram").check(FidelityKernel(bandwidth=0.3), X)
    Traceback (most recent call last):
    ...
    AssertionError: The kernel matrix differs from its reference references/test_gram.json, stored on ...
    Changed since then: kernel, scaling.
      kernel: bandwidth: 'scale' → 0.3
    ...
    """

    def __init__(
        self,
        folder: Path,
        test: str,
        *,
        update: bool = False,
        command: str = "pytest",
        on_write: Callable[[Path], None] | None = None,
    ) -> None:
        _check_part_of_file_name(test, "test of KernelRegression")
        if "@" in test:
            raise InvalidParameterError(
                f"test of KernelRegression must not contain '@', which separates it from the names of its matrices; "
                f"got {test!r}."
            )
        self.folder = folder
        self.test = test
        self.update = update
        self.command = command
        self.on_write = on_write
        self._used: set[str] = set()

    def __repr__(self) -> str:
        return f"KernelRegression({str(self.folder)!r}, {self.test!r}{', update=True' if self.update else ''})"

    def check(
        self,
        kernel: QuantumKernel,
        X: ArrayLike,
        *,
        name: str = "",
        same_draws: bool = True,
        sigma: float = 5.0,
        atol: float = 1e-9,
    ) -> None:
        """Fit a fresh copy of a kernel and compare its training matrix with the reference.

        Parameters
        ----------
        kernel : QuantumKernel
            Its parameters count; it is neither changed nor needs to be fitted.
        X : array-like of shape (n, n_features)
        name : str, default=""
            Tells several matrices of one test apart: a part of the file name, which has at most 255 bytes.
        same_draws : bool, default=True
            Whether sampled values must be the same draws unless only shots, seed or versions changed.
        sigma, atol : float
            As in `assert_kernels_close`.

        Raises
        ------
        AssertionError
            There is no reference yet, or the matrix differs from it: says what changed, or that only numbers did.
        InvalidParameterError
            `kernel` is none of ours, `name` was used before in this test, is too long or has characters that file
            systems do not take, `sigma` or `atol` break their rules, or as ``kernel.fit``.
        InvalidDataError
            The reference file was edited by hand, is damaged or has another schema; or as ``kernel.fit``.
        """
        __tracebackhide__ = True
        if not isinstance(kernel, QuantumKernel):
            raise InvalidParameterError(
                f"kernel of kernel_regression must be a kernel such as FidelityKernel(); got {kernel!r}. For other "
                "matrices use assert_kernels_close."
            )
        path = self.folder / f"{self._file_name(name)}.json"
        fresh = _measure(kernel, check_array(X, dtype=np.float64, order="C"))
        if self.update:
            self._accept(path, fresh)
            return
        shown = _short(path)
        if not path.exists():
            raise AssertionError(
                f"There is no kernel reference {shown} yet. Write it with\n  {self.command} {_OPTION}\nlook at it, and "
                "put it under version control."
            )
        reference = KernelReference.read(path, ways_out=f"Write it again with {self.command} {_OPTION}")
        if problem := _difference(fresh, reference, same_draws, sigma, atol):
            raise AssertionError(
                f"The kernel matrix differs from its reference {shown}, stored on {reference.stored}.\n"
                f"{_explanation(fresh, reference)}\n{problem}\n"
                f"If this is as it should be, accept it with\n  {self.command} {_OPTION}"
            )

    __call__ = check

    def _file_name(self, name: str) -> str:
        _check_part_of_file_name(name, "name of kernel_regression")
        found = f"{self.test}@{name}" if name else self.test
        if (length := len(f"{found}.json".encode())) > _LONGEST:
            raise InvalidParameterError(
                f"name of kernel_regression must be shorter: a file name has at most {_LONGEST} bytes, and "
                f"'{found}.json' has {length}."
            )
        if name.casefold() in self._used:  # many file systems take "a" and "A" for one
            raise InvalidParameterError(
                f"name of kernel_regression must differ between the matrices of one test; {name!r} was used before. "
                "Give each a name: kernel_regression.check(kernel, X, name='…')."
            )
        self._used.add(name.casefold())
        return found

    def _accept(self, path: Path, fresh: KernelReference) -> None:
        """Write a reference, unless the one that is there says the same."""
        try:
            unchanged = path.exists() and KernelReference.read(path, ways_out="").same_content(fresh)
        except ValueError:  # damaged: to be replaced
            unchanged = False
        if not unchanged:
            fresh.write(path)
            if self.on_write is not None:
                self.on_write(path)


def _measure(kernel: QuantumKernel, X: Values) -> KernelReference:
    """The training matrix of a fresh copy, before and after corrections."""
    fitted = clone(kernel).fit(X)
    is_corrected = bool(getattr(fitted, "corrections_", ()))
    # What was measured in `fit` is in the cache, and sampled values are a function of their content in any case.
    values = np.array(fitted(X) if is_corrected else fitted.gram_)
    shots = getattr(fitted, "gram_shots_", None)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    corrected = np.array(fitted.gram_) if is_corrected else None
    return KernelReference(today, describe(fitted, X), values, None if shots is None else np.array(shots), corrected)


def _check_part_of_file_name(value: str, parameter: str) -> None:
    if not isinstance(value, str) or not value.isprintable() or not _FORBIDDEN.isdisjoint(value):
        raise InvalidParameterError(
            f"{parameter} must be a part of a file name: printable characters without "
            f"{' '.join(sorted(_FORBIDDEN))}; got {value!r}."
        )


def _difference(fresh: KernelReference, reference: KernelReference, same_draws: bool, sigma: float, atol: float) -> str:
    """What is wrong with the numbers; "" where they agree."""
    changes = differences(reference.provenance, fresh.provenance)
    if "data" in changes or fresh.values.shape != reference.values.shape:
        return "The matrices are of different data, so their entries cannot be compared."
    now, before = _sides(fresh, reference)
    found = compare(now, before, sigma, atol).message
    other_draws = (now.counts != before.counts) | (now.shots != before.shots)
    if other_draws.any():
        reason = _no_reason(changes, fresh, reference) if same_draws else ""
        if reason:
            verdict = found or "They agree within shot noise; same_draws=False asks for no more than that."
            return (
                f"{int(np.triu(other_draws).sum()):,} entries have other draws than the reference, {reason}\n{verdict}"
            )
        return found or _other_corrections(changes, fresh, reference)
    if found:
        return found if now.noun == _EXACT else f"{found}\n{_NO_TEST}"
    found = compare(_corrected(fresh, "actual"), _corrected(reference, "expected"), sigma, atol).message
    return f"Before corrections the matrices agree. {found.replace('Kernel', 'Corrected kernel', 1)}" if found else ""


def _no_reason(changes: dict[str, list[str]], fresh: KernelReference, reference: KernelReference) -> str:
    """Why other draws are not explained by what changed; "" where they are."""
    last = {topic: topic.rpartition(".")[2] for topic in changes}
    more = [topic for topic, word in last.items() if word not in _RESAMPLED]
    if more:
        return f"and it is not only what draws that changed: {', '.join(more)}."
    versions = (r.provenance.get("versions") for r in (fresh, reference))
    now, before = ([v.get(name) for name in _DRAWING] if isinstance(v, dict) else [] for v in versions)
    if now != before or {"shots", "seed"} & set(last.values()):
        return ""
    return f"though shots, seed and the versions of {', '.join(_DRAWING[:-1])} and {_DRAWING[-1]} are the same."


def _other_corrections(changes: dict[str, list[str]], fresh: KernelReference, reference: KernelReference) -> str:
    """Corrected matrices of other draws are others; so corrections are compared by their parameters."""
    if fresh.corrected is None and reference.corrected is None:
        return ""
    if not any(line.startswith("corrections") for line in changes.get("kernel", [])):
        return ""
    return (
        "Before corrections the matrices agree within shot noise. Corrected ones of other draws cannot be compared, "
        "and the corrections have other parameters than those of the reference."
    )


_EXACT = "exact entries"
_SAMPLED = "sampled entries"
_NO_TEST = "These sampled entries are no frequencies of shots, so only the same draws can be compared."


def _corrected(reference: KernelReference, name: str) -> Side:
    values = reference.values if reference.corrected is None else reference.corrected
    return Side(name, values, np.zeros(values.shape, dtype=np.int64), "entries")


def _sides(fresh: KernelReference, reference: KernelReference) -> tuple[Side, Side]:
    """Values with their shots, where both are frequencies of them or exact."""
    now, before = _side(fresh, "actual"), _side(reference, "expected")
    if _SAMPLED in (now.noun, before.noun):
        none = np.zeros(now.values.shape, dtype=np.int64)
        return Side("actual", now.values, none, _SAMPLED), Side("expected", before.values, none, _SAMPLED)
    return now, before


def _side(reference: KernelReference, name: str) -> Side:
    values, shots = reference.values, reference.shots
    exact = Side(name, values, np.zeros(values.shape, dtype=np.int64), _EXACT)
    if shots is not None and values.min() >= 0.0 and values.max() <= 1.0:
        side = Side(name, values, shots)
        if not side.broken.any():
            return side
    is_sampled = shots is not None or _has_shots(reference.provenance)
    return replace(exact, noun=_SAMPLED) if is_sampled else exact


def _has_shots(record: Mapping[str, Json]) -> bool:
    """Whether a kernel, or a part of it, has an engine with shots."""
    return any(
        _has_shots(value) if isinstance(value, dict) else name == "shots" and isinstance(value, int)
        for name, value in record.items()
    )


def _explanation(fresh: KernelReference, reference: KernelReference) -> str:
    """What changed since a reference was stored."""
    changes = differences(reference.provenance, fresh.provenance)
    if not changes:
        return "Nothing in its provenance changed (data, circuit, noise, shots, seed, versions): only the numbers did."
    lines = [f"  {topic}: {line}" for topic, found in changes.items() for line in found]
    return "\n".join([f"Changed since then: {', '.join(changes)}.", *lines])


def _short(path: Path) -> str:
    """A path as seen from where the tests were started."""
    try:
        return os.path.relpath(path)
    except ValueError:  # on another drive
        return str(path)
