"""How to read a report, and what it does not say."""

from __future__ import annotations

from qkernels.cli._results import Results
from qkernels.cli._words import largest_share

_REFERENCES = (
    (
        "Nadeau and Bengio (2003), Inference for the generalization error",
        "https://doi.org/10.1023/A:1024068626366",
        "the corrected interval",
    ),
    (
        "Shaydulin and Wild (2022), arXiv:2111.05451",
        "https://arxiv.org/abs/2111.05451",
        "why a kernel has to be tuned in its bandwidth before it is judged",
    ),
    (
        "Thanasilp et al. (2024), arXiv:2208.11060",
        "https://arxiv.org/abs/2208.11060",
        "why the spread of K has to be seen through shot noise",
    ),
)

_NOISE_REFERENCE = (
    "Hubregtsen et al. (2022), arXiv:2105.02276",
    "https://arxiv.org/abs/2105.02276",
    "the mitigation of depolarizing noise, and clipping",
)


def references(results: Results) -> list[tuple[str, str, str]]:
    """Title, address, and what the report takes from it."""
    return [*_REFERENCES, *([] if results.noise is None else [_NOISE_REFERENCE])]


_NOISE_READING = (
    (
        "Verdicts are those of exact kernels: noise is one more thing that can speak against a device, and is shown "
        "beside them."
    ),
    (
        "This mitigation stretches all entries by one factor and shifts them by one constant. A support vector machine "
        "does not see the constant, and the factor acts like a larger C: mitigation repairs the values of entries more "
        "than predictions, and amplifies shot noise with them."
    ),
)


def reading_notes(results: Results) -> list[str]:
    """How to read the numbers."""
    largest = largest_share(results.table)
    return [
        f"Accuracy has a floor: always answering the largest class scores {100 * largest:.1f} % here.",
        (
            'Look at "minus tuned RBF" before the accuracies. An interval that holds 0 says that these folds do not '
            "tell the two kernels apart; an interval above 0 says that the quantum kernel is better on this table. "
            '"Folds alike": the difference is the same in all of them, which gives no interval.'
        ),
        (
            "Separable is a product of one-qubit kernels, which a laptop evaluates in closed form. A map that is not "
            "better than it gains nothing by its two-qubit gates."
        ),
        (
            "Spread of K is the standard deviation of the entries beside the diagonal. Two sigmas of shots is the "
            "noise that shots add to an average entry: where it is larger than the spread, a device returns noise. "
            "Shots needed, for each entry, make the two equal."
        ),
        (
            "Likeness to RBF is the correlation of K with the Gaussian kernel that fits it best. Near 1, the quantum "
            "kernel is a Gaussian kernel that costs more."
        ),
        '"Not ruled out" is no recommendation: it says that the rule found nothing against the kernel.',
        *([] if results.noise is None else _NOISE_READING),
    ]


def limit_notes(results: Results) -> list[str]:
    """What cannot be concluded."""
    settings, table = results.settings, results.table
    sample = (
        f"Only {len(table.y):,} of {table.num_rows_full:,} rows were used (--max-rows {settings.max_rows}); with "
        "all of them every model may do better, and not by the same amount."
    )
    noise = results.noise
    if noise is None:
        measured = [
            (
                "Nothing here was measured on a device. Accuracies are those of exact kernels; device noise and finite "
                "shots can lower them, and by how much is not estimated."
            )
        ]
    else:
        measured = [
            (
                f"Nothing here was measured on a device. Noise is a model: errors of gates, relaxation and readout of "
                f"{noise.device} as calibrated {noise.day}, independent of each other. Crosstalk, leakage and drift "
                "are left out, so a device is likely to be worse."
            ),
            (
                "Bandwidth and C were chosen without noise. A search under noise might choose others and lose less, "
                "and other mitigation might give back more."
            ),
        ]
    fidelity = "They are no estimate of fidelity. " if noise is None else ""
    return [
        *measured,
        (
            f"Gates and depth hold for the layout and routing that one seed gave on the model of {results.device}. "
            f"{fidelity}Queues, calibration and prices are left out."
        ),
        *([sample] if len(table.y) < table.num_rows_full else []),
        (
            "It is about this table, these maps, and the bandwidths and C that were searched. Another map, another "
            "kernel or another preprocessing may do better, quantum or not."
        ),
        (
            "The interval covers the choice of folds, approximately, and is not corrected for the number of maps that "
            "were compared. New rows from elsewhere may behave differently."
        ),
        "Accuracy counts all errors alike, whatever they cost and however rare the class.",
        "Spread and likeness are those of one matrix, of all rows at the median bandwidth of the outer folds.",
        "Times are those of this machine and of simulation; they say nothing about the time on a device.",
        (
            "A kernel that is not worth QPU time here is not shown to be useless in general, and a quantum advantage "
            "is not shown by one that is better than the tuned RBF."
        ),
    ]
