"""Finding the rotation axis: a search, and a sweep of reconstructions about several axes for the eye to choose from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import OptionError
from ..scans import TomoScan
from ._layers import LayerData, sweep_layer

__all__ = ["Sweep", "search", "sweep"]

MOST = 101  # slices of a sweep; more is a matter of narrowing the range


class Sweep(NamedTuple):
    """Axes to try on one slice."""

    row: int
    first: float
    last: float
    step: float

    def centres(self, n_columns: int) -> np.ndarray:
        """The axes, columns.

        Raises
        ------
        OptionError
            When the range is empty, leaves the detector, or holds too many.
        """
        if self.step <= 0 or self.last < self.first:
            raise OptionError(
                f"a sweep from {self.first:g} to {self.last:g} by {self.step:g} is empty; give first < last"
            )
        if self.first < 0 or self.last > n_columns - 1:
            raise OptionError(f"the sweep should stay within the detector's columns, 0 to {n_columns - 1}")
        count = int((self.last - self.first) / self.step + 1.5)
        if count > MOST:
            raise OptionError(
                f"the sweep has {count} axes; {MOST} are the most: take a larger step or a narrower range"
            )
        return self.first + self.step * np.arange(count)


def whole(scan: TomoScan, options: Any) -> TomoScan:
    """The scan by the options of the form, but in the columns of the file and without asking for an axis."""
    from ..preprocess import prepare

    return prepare(scan, dataclasses.replace(options, rows=None, columns=None, bin=1, centre=None, find_centre="file"))


def search(scan: TomoScan, options: Any) -> Any:
    """What the search says, a `CentreEstimate`; reads rows through all angles."""
    from ..preprocess import estimate_centre

    return estimate_centre(whole(scan, options))


def sweep(scan: TomoScan, options: Any, asked: Sweep, name: str, device: str = "auto") -> Callable[[], LayerData]:
    """A function for a thread: one slice by FBP about each axis, as a layer with the axis on a slider of its own."""
    centres = asked.centres(scan.shape[2])

    def work() -> LayerData:
        from ..preprocess import centre_sweep
        from ..recipes import RECIPES
        from ..results import finish

        fbp = RECIPES["fbp"]
        stack = centre_sweep(
            whole(scan, options), asked.row, centres, lambda one: finish(fbp.run(one, device=device)).data
        )
        return sweep_layer(stack, centres.tolist(), scan, name)

    return work
