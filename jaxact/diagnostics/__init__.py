"""Signal health: what becomes of units and of gradients, layer by layer.

Reports on models as they are: modules of NNX, bound modules of Linen, and pure functions. They need
flax; tables need rich, and plots matplotlib.
"""

from ._html import save_html
from .advice import Advice, advise
from .gradients import (
    GradientReport,
    LayerGradient,
    Signal,
    gradient_report,
)
from .monitor import Record, monitor, recorded
from .rows import Choices, Rows
from .units import (
    LayerUnits,
    UnitReport,
    unit_report,
    with_units,
)
from .width import WidthReport, width_report

__all__ = [
    "Advice",
    "Choices",
    "GradientReport",
    "LayerGradient",
    "LayerUnits",
    "Record",
    "Rows",
    "Signal",
    "UnitReport",
    "WidthReport",
    "advise",
    "gradient_report",
    "monitor",
    "recorded",
    "save_html",
    "unit_report",
    "width_report",
    "with_units",
]
