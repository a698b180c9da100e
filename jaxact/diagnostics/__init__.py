"""Signal health: what becomes of units and of gradients, layer by layer.

Reports on models as they are: modules of NNX, bound modules of Linen, and pure functions. They need
flax; tables need rich, and plots matplotlib.
"""

from ._html import save_html as save_html
from .advice import Advice as Advice, advise as advise
from .gradients import (
    GradientReport as GradientReport,
    LayerGradient as LayerGradient,
    Signal as Signal,
    gradient_report as gradient_report,
)
from .monitor import Record as Record, monitor as monitor, recorded as recorded
from .rows import Choices as Choices, Rows as Rows
from .units import (
    LayerUnits as LayerUnits,
    UnitReport as UnitReport,
    unit_report as unit_report,
    with_units as with_units,
)
from .width import WidthReport as WidthReport, width_report as width_report
