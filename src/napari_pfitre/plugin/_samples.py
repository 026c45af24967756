"""Sample data, simulated in a second or two: File ▸ Open Sample ▸ PFITRE tomography."""

from __future__ import annotations

from ._layers import LayerData, scan_layer, scan_layers, volume_layers

__all__ = ["chip", "counts", "crystal"]


def chip() -> list[LayerData]:
    """A chip seen over 120°: 60° are missing. The truth comes along, hidden."""
    return _simulated("chip", phantom="circuit", size=128, slices=8, angles=61, missing=60.0)


def counts() -> list[LayerData]:
    """Detector counts with flats, darks, rings, dead pixels and an axis to be found, for the Prepare widget."""
    return _simulated(
        "foam counts", phantom="foam", size=128, slices=8, angles=91, missing=0.0, photons=20000.0, rings=0.02,
        bad_pixels=0.001, centre_offset=3.5,
    )  # fmt: skip


def crystal() -> list[LayerData]:
    """The 111 peak of a strained gold crystal, a million photons, for Invert. The truth comes along, hidden."""
    import numpy as np

    from ..results import Volume
    from ..scans import BraggGeometry
    from ..twin.crystals import Crystals

    n, voxel = 64, 5e-9
    # frames, rows and columns along z, y and x of the laboratory
    geometry = BraggGeometry(2 * np.pi / (n * voxel) * np.eye(3)[::-1], np.array([0, 2 * np.pi / 2.3555e-10, 0]))
    made = Crystals(seed=11, size=n, oversampling=(2.2, 3.0), strain=(2.0, 4.0), photons=(1e6, 1e6), spoil=0.0)[0]
    parts = {"phase": np.angle(made.object).astype(np.float32), "support": (made.support > 0.5).astype(np.float32)}
    truth = Volume(np.abs(made.object).astype(np.float32), (voxel,) * 3, None, "crystal · truth", "amplitude", parts)
    layers = volume_layers(truth)
    for _, about, _ in layers:
        about["visible"] = False
    return [*layers, *scan_layers(made.scan().replace(name="crystal", geometry=geometry))]


def _simulated(name: str, **options) -> list[LayerData]:
    from ..twin import SimulateOptions, simulate

    scan, truth = simulate(SimulateOptions(**options))
    if scan.quantity == "counts":
        scan = scan.replace(centre=None)  # as in most files of counts
    projections = scan_layer(scan.replace(name=name))
    layers = volume_layers(truth, f"{name} · truth")
    for _, about, _ in layers:
        about["visible"] = False
    return [*layers, projections]
