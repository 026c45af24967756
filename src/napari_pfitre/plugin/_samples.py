"""Sample data, simulated in under a second: File ▸ Open Sample ▸ PFITRE tomography."""

from __future__ import annotations

from ._layers import LayerData, scan_layer, volume_layers

__all__ = ["chip", "counts"]


def chip() -> list[LayerData]:
    """A chip seen over 120°: 60° are missing. The truth comes along, hidden."""
    return _simulated("chip", phantom="circuit", size=128, slices=8, angles=61, missing=60.0)


def counts() -> list[LayerData]:
    """Detector counts with flats, darks, rings, dead pixels and an axis to be found, for the Prepare widget."""
    return _simulated(
        "foam counts", phantom="foam", size=128, slices=8, angles=91, missing=0.0, photons=20000.0, rings=0.02,
        bad_pixels=0.001, centre_offset=3.5,
    )  # fmt: skip


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
