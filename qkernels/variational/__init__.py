"""Variational models: circuits with trainable angles, what they are read out as, and how they are trained.

The way of a fit: `compose_model` builds U(x) W(θ₁) U(x) W(θ₂) … from a feature map and an ansatz; a readout names the
observables and turns their expectation values into probabilities, scores or numbers; a loss compares these with the
targets; `Objective` is θ → loss and gradient; `train` hands it to an optimizer.

=========================  =====================================================  ==========================
ansatz                     definition                                             angles
=========================  =====================================================  ==========================
`RealAmplitudesAnsatz`     RY and CX                                              n·(reps + 1)
`EfficientSU2Ansatz`       RY, RZ and CX; the default                             2n·(reps + 1)
`RYRZAnsatz`               RY, RZ and CZ (Havlíček et al.)                        2n·(reps + 1)
`BrickworkAnsatz`          general two-qubit blocks in bricks                     15 per block
`QCNNAnsatz`               convolution and pooling                                17 per level, shared
`TreeAnsatz`               blocks in a binary tree                                15·(n − 1)
`MPSAnsatz`                blocks in a chain                                      15·(n − 1)
`FarhiNevenAnsatz`         gates on a readout qubit (Farhi and Neven)             see there
`CircuitAnsatz`            your circuit                                           its own
=========================  =====================================================  ==========================

- `Ansatz`, `ModelCircuit`, `compose_model`, `check_width`, `model_width`: circuits. `HamiltonianEmbedding`: a model of
  data-dependent matrices, on simulators only.
- `default_feature_map`, `default_ansatz`, `learn_scaling`: what ``feature_map=None``, ``ansatz=None`` and
  ``bandwidth="scale"`` mean.
- `ParityReadout`, `ClassesReadout`, `ObservablesReadout`, `ExpectationReadout`: readouts; `Readout`, `BoundReadout`,
  `as_readout`.
- `CrossEntropy`, `SoftmaxCrossEntropy`, `SquaredError`: losses; `Loss`, `as_loss`, `softmax`.
- `Head`: readout and loss in one; `Objective`, `gradient_way`, `GradientWay`, `NonFiniteLossError`.
- `AQGD`, `resolve_optimizer`, `OPTIMIZER_NAMES`, `OptimizerParameter`, `Method`, `Task`, `Outcome`: optimizers.
- `train`, `TrainingOptions`, `Trained`, `Callback`, `Checkpoint`, `State`: training.
"""

from qkernels.variational._ansatz import Ansatz
from qkernels.variational._aqgd import AQGD
from qkernels.variational._brickwork import BrickworkAnsatz
from qkernels.variational._checkpoint import Checkpoint, State
from qkernels.variational._circuit_ansatz import CircuitAnsatz
from qkernels.variational._efficient_su2 import EfficientSU2Ansatz
from qkernels.variational._encoding import default_ansatz, default_feature_map, learn_scaling, model_width
from qkernels.variational._farhi_neven import FarhiNevenAnsatz
from qkernels.variational._hamiltonian_embedding import HamiltonianEmbedding
from qkernels.variational._head import Head
from qkernels.variational._loss import CrossEntropy, Loss, SoftmaxCrossEntropy, SquaredError, as_loss, softmax
from qkernels.variational._model_circuit import ModelCircuit, check_width, compose_model
from qkernels.variational._mps_shape import MPSAnsatz
from qkernels.variational._objective import GradientWay, NonFiniteLossError, Objective, gradient_way
from qkernels.variational._optimizers import (
    OPTIMIZER_NAMES,
    Method,
    OptimizerParameter,
    Outcome,
    Task,
    resolve_optimizer,
)
from qkernels.variational._qcnn import QCNNAnsatz
from qkernels.variational._readout import (
    BoundReadout,
    ClassesReadout,
    ExpectationReadout,
    ObservablesReadout,
    ParityReadout,
    Readout,
    as_readout,
)
from qkernels.variational._real_amplitudes import RealAmplitudesAnsatz
from qkernels.variational._ryrz import RYRZAnsatz
from qkernels.variational._training import Callback, Trained, TrainingOptions, train
from qkernels.variational._tree import TreeAnsatz

__all__ = [
    "AQGD",
    "OPTIMIZER_NAMES",
    "Ansatz",
    "BoundReadout",
    "BrickworkAnsatz",
    "Callback",
    "Checkpoint",
    "CircuitAnsatz",
    "ClassesReadout",
    "CrossEntropy",
    "EfficientSU2Ansatz",
    "ExpectationReadout",
    "FarhiNevenAnsatz",
    "GradientWay",
    "HamiltonianEmbedding",
    "Head",
    "Loss",
    "MPSAnsatz",
    "Method",
    "ModelCircuit",
    "NonFiniteLossError",
    "Objective",
    "ObservablesReadout",
    "OptimizerParameter",
    "Outcome",
    "ParityReadout",
    "QCNNAnsatz",
    "RYRZAnsatz",
    "Readout",
    "RealAmplitudesAnsatz",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "State",
    "Task",
    "Trained",
    "TrainingOptions",
    "TreeAnsatz",
    "as_loss",
    "as_readout",
    "check_width",
    "compose_model",
    "default_ansatz",
    "default_feature_map",
    "gradient_way",
    "learn_scaling",
    "model_width",
    "resolve_optimizer",
    "softmax",
    "train",
]
