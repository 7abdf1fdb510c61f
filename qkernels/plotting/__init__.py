"""Pictures of kernels, as scikit-learn draws them. The only room that imports matplotlib.

==================  =========================================================================
`BandwidthDisplay`  score against bandwidth, one curve per model
`GramDisplay`       a kernel matrix with its rows sorted by class
`bandwidth_figure`  several bandwidth curves on one axes, with classical scores as lines
`gram_figure`       several kernel matrices side by side
==================  =========================================================================

A display holds data; ``plot(ax=None)`` draws it, keeps ``ax_`` and ``figure_``, and may be called again. The
two functions return a `matplotlib.figure.Figure` without pyplot, ready for ``savefig`` on a machine without a
screen.
"""

from qkernels.plotting._bandwidth import BandwidthDisplay
from qkernels.plotting._figures import bandwidth_figure, gram_figure
from qkernels.plotting._gram import GramDisplay

__all__ = ["BandwidthDisplay", "GramDisplay", "bandwidth_figure", "gram_figure"]
