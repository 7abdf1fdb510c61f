"""Plan, submit, get killed, resume, fit, predict: a kernel on a device, of which nothing is lost or paid twice.

Without an argument it runs on a model of a device, without an account. With one, such as ``ibm_fez``, it runs there.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from qkernels import DepolarizingMitigation, FidelityKernel, OverlapProgram, QuantumKernelSVC, ZZFeatureMap
from qkernels.kernels import ClipSpectrum
from qkernels_hardware import Budget, Ledger, RuntimeEngine

BANDWIDTH = 0.2  # a number: "scale" would learn it from the rows, and other rows would share no measurements
FEATURE_MAP = ZZFeatureMap()
BLOCKS_BEFORE_THE_END = 2
SEED = 2


def make_engine(device: str, ledger: Path) -> RuntimeEngine:
    # Small blocks, so that there are some to be killed between; the default is 2,000,000 executions.
    budget = Budget(qpu_seconds=120, jobs=20)
    return RuntimeEngine(device, shots=256, ledger=ledger, budget=budget, block_executions=30_000, seed=0)


def rows() -> tuple[object, object, object, object]:
    X, y = load_wine(return_X_y=True)
    X, _, y, _ = train_test_split(X, y, train_size=36, stratify=y, random_state=SEED)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=12, stratify=y, random_state=SEED)
    scaling = make_pipeline(StandardScaler(), PCA(2)).fit(X_train)
    return scaling.transform(X_train), scaling.transform(X_test), y_train, y_test


def kernel(engine: RuntimeEngine) -> FidelityKernel:
    corrections = [DepolarizingMitigation("mean"), ClipSpectrum()]
    return FidelityKernel(FEATURE_MAP, engine=engine, bandwidth=BANDWIDTH, corrections=corrections)


def die_on_the_way(device: str, ledger: Path) -> None:
    """What the first process does: it measures, and is killed as if the power had failed."""
    engine, done = make_engine(device, ledger), []

    def watch(step: str, block: object) -> None:
        done.extend([block] if step == "done" else [])
        if len(done) == BLOCKS_BEFORE_THE_END:
            os.kill(os.getpid(), signal.SIGKILL)

    engine.watch = watch
    kernel(engine).fit(rows()[0])


def run(device: str, ledger: Path) -> None:
    X_train, X_test, y_train, y_test = rows()
    engine = make_engine(device, ledger)

    print("1. What does the training matrix cost?\n")
    program = OverlapProgram(FEATURE_MAP.build(2), FEATURE_MAP.parameter_vector(2))
    print(engine.plan(program, BANDWIDTH * X_train, need={"diagonal"}))

    print("\n2. A process submits it and is killed when two blocks are done.\n")
    child = subprocess.run([sys.executable, __file__, device, "--ledger", str(ledger), "--child"], check=False)
    with Ledger.open(ledger, read_only=True) as found:
        before = [block for block in found.blocks() if block.state == "done"]
        states = ", ".join(f"{block.id} {block.state}" for block in found.blocks())
    print(f"exit code {child.returncode}; blocks in the ledger: {states}")

    print("\n3. The same call in another process goes on from there: fit.\n")
    model = QuantumKernelSVC(kernel(engine), C=10.0).fit(X_train, y_train)
    with Ledger.open(ledger, read_only=True) as found:
        again = [block.id for block in found.blocks([block.id for block in before]) if block.attempt > 1]
        spent = found.spent()
    print(f"blocks of the first process that were measured again: {again or 'none'}")
    print(f"{spent.jobs} jobs submitted in all, {spent.paid:.1f} s of QPU time paid (a model costs none)")

    print("\n4. A second fit with another C measures nothing. Then predict: the test block is new.\n")
    QuantumKernelSVC(kernel(engine), C=100.0).fit(X_train, y_train)
    with Ledger.open(ledger, read_only=True) as found:
        print(f"{found.spent().jobs - spent.jobs} more jobs for the second fit")
    print(f"this kernel {model.score(X_test, y_test):.3f}")
    print(f"RBF         {SVC(C=10.0).fit(X_train, y_train).score(X_test, y_test):.3f}  (12 test rows: one is 0.083)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("device", nargs="?", default="fake_fez", help="device model, or a device of your account")
    parser.add_argument("--ledger", type=Path, help="kept where it is given, and needed for a device")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        die_on_the_way(arguments.device, arguments.ledger)
        return
    if arguments.ledger is None and not arguments.device.startswith("fake"):
        parser.error("--ledger is needed for a device: what is paid for must outlive this script")
    with tempfile.TemporaryDirectory() as folder:
        run(arguments.device, arguments.ledger or Path(folder) / "ledger.sqlite")


if __name__ == "__main__":
    main()
