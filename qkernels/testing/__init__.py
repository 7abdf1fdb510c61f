"""Tools for tests of code that evaluates kernels: what a user's own test suite imports.

- `assert_kernels_close`: whether two kernel matrices agree, by exact statistics where entries were sampled.
- `check_engine`: the laws that every engine keeps, with an `EngineReport` of named `CheckResult`.
- `KernelRegression`: what the pytest fixture `kernel_regression` gives; it stores the matrix of a kernel beside the
  test and says, when it differs later, what has changed.

The fixture is there wherever qkernels is installed. pytest imports this room in every run, so its names are loaded on
first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qkernels.testing._check_engine import check_engine
    from qkernels.testing._close import assert_kernels_close
    from qkernels.testing._regression import KernelRegression
    from qkernels.testing._report import CheckResult, EngineReport

__all__ = ["CheckResult", "EngineReport", "KernelRegression", "assert_kernels_close", "check_engine"]

_FILE_OF_NAME = {
    "CheckResult": "_report",
    "EngineReport": "_report",
    "KernelRegression": "_regression",
    "assert_kernels_close": "_close",
    "check_engine": "_check_engine",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name not in _FILE_OF_NAME:
        raise AttributeError(f"module 'qkernels.testing' has no attribute {name!r}")
    value: object = getattr(import_module(f"qkernels.testing.{_FILE_OF_NAME[name]}"), name)
    globals()[name] = value  # the next access does not come here
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not, so that completion offers them."""
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
