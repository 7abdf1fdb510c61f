"""Content-keyed shots: a sampled value is a pure function of what is measured, never of where it stands.

The draw for a pair of rows depends on (program key, unordered pair of bound angle rows, shots, seed) alone. So a
training matrix is symmetric, `transform` repeats `fit_transform`, any block order, process or resume gives the same
numbers, and scikit-learn's transformer checks pass with shots, which positional random draws cannot do.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

__all__ = [
    "is_canonical",
    "pair_uniforms",
    "row_keys",
    "sample_counts",
    "sample_frequencies",
    "single_uniforms",
    "wilson_stderr",
]

ANGLE_RESOLUTION = 1e-9
"""Radians. Rows whose angles agree to this are one row: fidelities then differ by less than 1e-17 per angle."""

Keys = NDArray[np.uint64]


def row_keys(angles: NDArray[np.float64], program_key: str) -> Keys:
    """Content keys of rows of bound angles.

    Parameters
    ----------
    angles : ndarray of shape (n_samples, n_angles), float64
    program_key : str

    Returns
    -------
    ndarray of shape (n_samples, 2), uint64
        128 bits per row, equal exactly where all angles agree after rounding to 1e-9 rad.
    """
    rounded = np.ascontiguousarray(np.rint(angles / ANGLE_RESOLUTION) + 0.0)  # + 0.0 turns −0.0 into 0.0
    salt = bytes.fromhex(program_key)[:32]
    digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=16, key=salt).digest() for row in rounded)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64).reshape(-1, 2)


def is_canonical(a: Keys, b: Keys) -> NDArray[np.bool_]:
    """Whether pairs of rows stand in their canonical orientation: the row with the smaller key first.

    Parameters
    ----------
    a, b : ndarrays of shape (…, 2), uint64
        Broadcast against each other.

    Returns
    -------
    ndarray of shape (…), bool
        True for equal keys.
    """
    return np.asarray((a[..., 0] < b[..., 0]) | ((a[..., 0] == b[..., 0]) & (a[..., 1] <= b[..., 1])), dtype=np.bool_)


def _mix(h: Keys) -> Keys:
    """The finaliser of splitmix64: a bijection of 64-bit words whose output bits look independent."""
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return h ^ (h >> np.uint64(31))


def _seed_word(seed: int, stream: str) -> Keys:
    digest = hashlib.blake2b(f"{seed}:{stream}".encode(), digest_size=8).digest()
    return np.frombuffer(digest, dtype="<u8").astype(np.uint64)


def _to_open_interval(h: Keys) -> NDArray[np.float64]:
    """53 random bits, centred in their cells: strictly inside (0, 1)."""
    return ((h >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _seed_words(seed: int, stream: str | NDArray[np.str_]) -> Keys:
    if isinstance(stream, str):
        return _seed_word(seed, stream)
    names, inverse = np.unique(stream, return_inverse=True)
    return np.concatenate([_seed_word(seed, str(name)) for name in names])[inverse].reshape(stream.shape)


def pair_uniforms(a: Keys, b: Keys, seed: int, stream: str | NDArray[np.str_] = "") -> NDArray[np.float64]:
    """Uniform numbers in (0, 1) that depend on the unordered pair of row keys, the seed and the stream.

    Parameters
    ----------
    a, b : ndarrays of shape (…, 2), uint64
        Broadcast against each other: ``a[:, None], b[None, :]`` gives a matrix.
    seed : int
    stream : str, or ndarray of str of shape (…)
        Names the purpose (shots, orientation), so that different draws for one pair are independent; one name for all
        pairs, or one for each.

    Returns
    -------
    ndarray of shape (…), float64
    """
    a_first = is_canonical(a, b)
    h = np.broadcast_to(_seed_words(seed, stream), a_first.shape)
    for word in (0, 1):
        h = _mix(h ^ np.where(a_first, a[..., word], b[..., word]))
    for word in (0, 1):
        h = _mix(h ^ np.where(a_first, b[..., word], a[..., word]))
    return _to_open_interval(h)


def single_uniforms(a: Keys, seed: int, stream: str) -> NDArray[np.float64]:
    """Uniform numbers in (0, 1) that depend on one row key, the seed and the stream.

    Parameters
    ----------
    a : ndarray of shape (n, 2), uint64
    seed : int
    stream : str

    Returns
    -------
    ndarray of shape (n,), float64
    """
    h = np.broadcast_to(_seed_word(seed, stream), a.shape[:-1])
    for word in (0, 1):
        h = _mix(h ^ a[..., word])
    return _to_open_interval(h)


def sample_counts(
    probabilities: NDArray[np.float64], uniforms: NDArray[np.float64], shots: int | NDArray[np.int64]
) -> NDArray[np.int64]:
    """Counts of S shots by inversion: Binomial(S, p), exactly distributed.

    Parameters
    ----------
    probabilities : ndarray of float64
        Clipped to [0, 1].
    uniforms : ndarray of the same shape, in (0, 1)
    shots : int, or ndarray of the same shape, >= 0

    Returns
    -------
    ndarray of the same shape, int64
    """
    return np.asarray(binom.ppf(uniforms, shots, np.clip(probabilities, 0.0, 1.0)), dtype=np.int64)


def sample_frequencies(
    probabilities: NDArray[np.float64], uniforms: NDArray[np.float64], shots: int | NDArray[np.int64]
) -> NDArray[np.float64]:
    """Relative frequencies of S shots by inversion: Binomial(S, p)/S, exactly distributed.

    Only the all-zero outcome of a compute–uncompute circuit counts, so this is the full shot noise of an exact value.

    Parameters
    ----------
    probabilities : ndarray of float64
        Clipped to [0, 1].
    uniforms : ndarray of the same shape, in (0, 1)
    shots : int, or ndarray of the same shape, >= 1

    Returns
    -------
    ndarray of the same shape, float64
    """
    return np.asarray(sample_counts(probabilities, uniforms, shots) / shots, dtype=np.float64)


def wilson_stderr(frequencies: NDArray[np.float64], shots: int | NDArray[np.int64]) -> NDArray[np.float64]:
    """Half-width of the Wilson score interval at one sigma; positive even for frequencies 0 and 1.

    Parameters
    ----------
    frequencies : ndarray of float64 in [0, 1]
    shots : int, or ndarray of the same shape, >= 1

    Returns
    -------
    ndarray of the same shape
    """
    trials = np.asarray(shots, dtype=np.float64)
    variance = frequencies * (1.0 - frequencies) / trials + 0.25 / trials**2
    return np.asarray(np.sqrt(variance) / (1.0 + 1.0 / trials))
