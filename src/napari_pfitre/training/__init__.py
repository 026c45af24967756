"""Training the network inside the engine that will use it, on scenes made as it goes.

    pool.py      scenes on their way through the engine: what there is to learn from at any moment
    losses.py    what counts as good
    learner.py   what PFITRE's training and CDI-NN's share: network, average, optimiser, clock
    loop.py      the training, a generator like a run: resumable, seeded, logged
    checks.py    how good it is on circuits that are never trained on
    keeping.py   checkpoints, and the weights that come out

Recipes never import this.
"""

from __future__ import annotations

from .loop import train
from .settings import TrainOptions

__all__ = ["TrainOptions", "train"]
