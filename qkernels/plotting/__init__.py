"""Pictures of kernels, as scikit-learn draws them. The only room that imports matplotlib.

====================  =======================================================================
`BandwidthDisplay`    score against bandwidth, one curve per model
`GramDisplay`         a kernel matrix with its rows sorted by class
`NoiseScaleDisplay`   score against the scale of a device's noise
`bandwidth_figure`    several bandwidth curves on one axes, with classical scores as lines
`gram_figure`         several kernel matrices side by side
`noise_scale_figure`  scores against the scale of noise, a panel for each model
====================  =======================================================================

A display holds data; ``plot(ax=None)`` draws it, keeps ``ax_`` and ``figure_``, and may be called again. The
three functions return a `matplotlib.figure.Figure` without pyplot, ready for ``savefig`` on a machine without a
screen.
"""

from qkernels.plotting._bandwidth import BandwidthDisplay
from qkernels.plotting._figures import bandwidth_figure, gram_figure, noise_scale_figure
from qkernels.plotting._gram import GramDisplay
from qkernels.plotting._noise_scale import NoiseScaleDisplay

__all__ = [
    "BandwidthDisplay",
    "GramDisplay",
    "NoiseScaleDisplay",
    "bandwidth_figure",
    "gram_figure",
    "noise_scale_figure",
]
