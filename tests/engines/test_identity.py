"""What values depend on, as engines tell it: device, noise, shots and a seed that was given, and nothing else."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest

from qkernels import AutoEngine, DensityMatrixEngine, MPSEngine, StatevectorEngine
from qkernels.engines import Engine, NoiseTable, ZeroNoiseExtrapolation
from tests.engines.depolarized import DepolarizedEngine


def table(error: float = 0.1) -> NoiseTable:
    return NoiseTable(defaults={"cx": np.diag([1.0, *[1 - error] * 15])}, ideal=["h", "p", "ry", "rz"], form="transfer")


def density(error: float = 0.1, **options: int | None) -> DensityMatrixEngine:
    return DensityMatrixEngine(table(error), **options)


MAKERS: list[Callable[..., Engine]] = [StatevectorEngine, MPSEngine, AutoEngine, density]


@pytest.mark.parametrize("make", MAKERS)
def test_shots_and_a_given_seed_are_part_of_it(make: Callable[..., Engine]) -> None:
    settings = [{}, {"shots": 100, "seed": 0}, {"shots": 100, "seed": 1}, {"shots": 200, "seed": 0}, {"shots": 100}]
    assert len({make(**options).identity for options in settings}) == len(settings)


@pytest.mark.parametrize("make", MAKERS)
def test_drawn_seed_and_memory_are_not(make: Callable[..., Engine]) -> None:
    assert make(seed=1).identity == make(seed=2).identity == make(memory_limit=2**30).identity  # nothing is drawn
    sampled = make(shots=100)
    assert sampled.identity == make(shots=100).identity == pickle.loads(pickle.dumps(sampled)).identity
    assert make(shots=100, seed=np.int64(3)).identity == make(shots=100, seed=3).identity


def test_kind_and_precision() -> None:
    engines = [StatevectorEngine(), MPSEngine(), AutoEngine(), StatevectorEngine(precision="single")]
    assert len({engine.identity for engine in engines}) == len(engines)


def test_noise_and_its_scale() -> None:
    engines = [density(), density(0.2), density().scaled(2), density().scaled(0)]
    assert len({engine.identity for engine in engines}) == len(engines)
    assert density().identity == density().identity
    assert density(shots=100).scaled(2).identity == density(shots=100).scaled(2).identity


def test_extrapolation() -> None:
    engines = [
        density(),
        ZeroNoiseExtrapolation(density(), fit="linear"),
        ZeroNoiseExtrapolation(density(0.2), fit="linear"),
        ZeroNoiseExtrapolation(density(), (1, 2), fit="linear"),
        ZeroNoiseExtrapolation(density(), (1, 3), fit="linear"),
        ZeroNoiseExtrapolation(density(), (1, 3), fit="linear", method="fold"),
        ZeroNoiseExtrapolation(density(), fit="richardson"),
        ZeroNoiseExtrapolation(density(), fit="linear", readout=True),
        ZeroNoiseExtrapolation(density(), fit="linear", clip=True),
        ZeroNoiseExtrapolation(density()),
        ZeroNoiseExtrapolation(density(), asymptote=0.5),
    ]
    assert len({engine.identity for engine in engines}) == len(engines)


def test_other_peoples_engines_are_known_by_their_attributes() -> None:
    assert DepolarizedEngine(0.1).identity == DepolarizedEngine(0.1).identity
    assert DepolarizedEngine(0.1).identity != DepolarizedEngine(0.2).identity
