"""Signal health: what becomes of units and of gradients, layer by layer.

Reports on models as they are: modules of NNX, bound modules of Linen, and pure functions. They need
flax; tables need rich, and plots matplotlib.
"""

from .advice import Advice as Advice, advise as advise
from .gradients import (
    GradientReport as GradientReport,
    LayerGradient as LayerGradient,
    Signal as Signal,
    gradient_report as gradient_report,
)
from .monitor import Record as Record, monitor as monitor, recorded as recorded
from .units import (
    LayerUnits as LayerUnits,
    UnitReport as UnitReport,
    unit_report as unit_report,
    with_units as with_units,
)
