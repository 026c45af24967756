"""Training of CDI-NN's network.

settings.py  the options
data.py      simulated crystals in the network's frame
losses.py    what counts as good, for a crystal and its twin alike
checks.py    how good it is on crystals that are never trained on
loop.py      the training, a generator like a run: resumable, seeded, logged
tuning.py    the same on measured patterns, whose objects nobody knows
"""

from __future__ import annotations

from .loop import train_cdi
from .settings import CdiTrainOptions
from .tuning import TUNING, tune_cdi

__all__ = ["TUNING", "CdiTrainOptions", "train_cdi", "tune_cdi"]
