"""Training of CDI-NN's network.

settings.py  the options
data.py      simulated crystals in the network's frame
losses.py    what counts as good, for a crystal and its twin alike
checks.py    how good it is on crystals that are never trained on
loop.py      the training, a generator like a run: resumable, seeded, logged
"""

from __future__ import annotations

from .settings import CdiTrainOptions

__all__ = ["CdiTrainOptions"]
