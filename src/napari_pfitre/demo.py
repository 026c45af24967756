"""The whole way on an object that is known: simulate a chip, measure it over a limited arc, reconstruct, compare.

Every stage goes through a file, as it does at a beamline: counts with flats and darks are written as Data Exchange,
read back, prepared, reconstructed by FBP, by FISTA-TV and by PFITRE; the volumes are written as HDF5 and as TIFF.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from .results import Progress, Volume, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .scans import TomoScan
    from .twin import SimulateOptions

__all__ = ["METHODS", "Comparison", "Figures", "chip", "compare", "demo", "picture"]

METHODS = ("fbp", "fista-tv", "pfitre")
INK, MUTED, TRUTH, PLAIN, SMOOTH, OURS = "#1b1f24", "#6a737d", "#1b1f24", "#d9a22b", "#c2553f", "#1668b8"


class Figures(NamedTuple):
    """How well a volume agrees with the truth inside the field of view, and what it took."""

    psnr: float  #: dB
    ssim: float
    seconds: float


class Comparison(NamedTuple):
    """A measured scan, what is true, and what each method made of it."""

    scan: TomoScan
    truth: np.ndarray  #: (z, y, x)
    volumes: dict[str, Volume]
    figures: dict[str, Figures]


def chip() -> SimulateOptions:
    """A pillar cut from a chip: 60° that nobody measured, counting noise."""
    from .twin import SimulateOptions

    return SimulateOptions(
        phantom="circuit", size=256, slices=24, angles=121, missing=60.0, wedge_centre=30.0, photons=10000.0
    )


def demo(
    folder: Path,
    options: SimulateOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[str]:
    """Do it all into `folder`, telling what was written; earlier files of the same names are replaced."""
    from .io import read_scan, write_scan, write_volume
    from .preprocess import prepare
    from .twin import simulate

    folder.mkdir(parents=True, exist_ok=True)
    simulation = simulate(chip() if options is None else options)
    scan_path = folder / "scan.h5"
    write_scan(simulation.scan, scan_path, truth=simulation.truth, overwrite=True)
    scan = prepare(cast("TomoScan", read_scan(scan_path)))
    yield f"{scan_path}: {scan.shape[0]} projections of a simulated chip, {scan.missing_wedges[0].width:.0f}° missing"
    volumes = {}
    for name in METHODS:
        volumes[name] = reconstructed(scan, name, on_progress, should_stop)
        for suffix in (".h5", ".tif"):
            for path in write_volume(volumes[name], folder / f"{name}{suffix}", overwrite=True):
                yield f"{path}: {' × '.join(map(str, volumes[name].data.shape))} voxels by {name}"
    comparison = compare(scan, simulation.truth.data, volumes)
    target = folder / "comparison.png"
    part = target.with_suffix(".part")
    picture(comparison).savefig(part, dpi=120, format="png", facecolor="white")
    part.replace(target)
    yield f"{target}: the comparison"
    yield ""
    yield from table(comparison)


def reconstructed(
    scan: TomoScan,
    name: str,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Volume:
    """One method, as it comes."""
    from .recipes import RECIPES

    return finish(RECIPES[name].run(scan), on_progress, should_stop)


def compare(scan: TomoScan, truth: np.ndarray, volumes: dict[str, Volume]) -> Comparison:
    """The figures of merit of every volume, inside the circle that every projection sees."""
    from .metrics import disc_mask, psnr, ssim

    mask, peak = disc_mask(truth.shape[-1]), float(np.ptp(truth))
    figures = {}
    for name, volume in volumes.items():
        seconds = 0.0 if volume.provenance is None else volume.provenance.seconds
        agreement = [measure(truth, volume.data, data_range=peak, mask=mask) for measure in (psnr, ssim)]
        figures[name] = Figures(agreement[0], agreement[1], seconds)
    return Comparison(scan, truth, volumes, figures)


def table(comparison: Comparison) -> Iterator[str]:
    """The figures, for a terminal."""
    yield "method      PSNR      SSIM    seconds"
    for name, merit in comparison.figures.items():
        yield f"{name:9} {merit.psnr:5.1f} dB  {merit.ssim:6.3f}  {merit.seconds:9.1f}"


def picture(comparison: Comparison) -> Figure:
    """Truth, what each method made of it and its errors, in two cuts and a profile."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    scan, truth = comparison.scan, comparison.truth
    z = truth.shape[0] // 2
    y = int(np.abs(np.diff(truth[z], axis=1)).sum(axis=1).argmax())  # the line with the most edges tells the most
    pixel = 1e6 * scan.pixel_size[1] if scan.pixel_size else 1.0
    unit = "µm" if scan.pixel_size else "pixel"
    columns = {"Truth": truth, **{_title(name): volume.data for name, volume in comparison.volumes.items()}}
    figure = Figure(figsize=(4.2 * len(columns), 11.4), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06))
    wedge = scan.missing_wedges[0].width if scan.missing_wedges else 0.0
    figure.suptitle(
        f"A simulated chip, {scan.shape[0]} projections, {wedge:.0f}° of 180° missing",
        fontsize=16, fontweight="bold", color=INK, x=0.01, ha="left",
    )  # fmt: skip
    places = range(len(columns))
    cells = figure.subplot_mosaic(
        [[f"{i}" for i in places], [f"a{i}" for i in places], ["arc", *(f"e{i}" for i in places[1:])],
         ["profile" for _ in places]],
        height_ratios=[1, truth.shape[0] / truth.shape[1], 1, 0.55],
    )  # fmt: skip
    top = float(truth.max())
    for i, (title, data) in enumerate(columns.items()):
        axes = cells[str(i)]
        _image(axes, data[z], pixel, cmap="gray", vmin=0, vmax=top)
        axes.axhline(_at(y, truth.shape[1], pixel), color=OURS, lw=0.8, ls=(0, (4, 4)))
        merit = list(comparison.figures.values())[i - 1] if i else None
        note = (
            f"PSNR {merit.psnr:.1f} dB, SSIM {merit.ssim:.2f}, {merit.seconds:.1f} s" if merit else "what was scanned"
        )
        axes.set_title(title, fontsize=13, fontweight="bold", color=INK, loc="left")
        axes.set_title(note, fontsize=10, color=MUTED, loc="right")
        _image(cells[f"a{i}"], data[:, y], pixel, cmap="gray", vmin=0, vmax=top)
        if i:
            shown = _image(cells[f"e{i}"], data[z] - truth[z], pixel, cmap="RdBu_r", vmin=-top / 2, vmax=top / 2)
            cells[f"e{i}"].set_title(f"{title} − truth", fontsize=11, color=INK, loc="left")
    cells["0"].set_ylabel(f"slice {z}:  y ({unit})", color=MUTED)
    cells["a0"].set_ylabel(f"z ({unit})", color=MUTED)
    bar = figure.colorbar(shown, ax=cells[f"e{places[-1]}"], shrink=0.8, aspect=30, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=MUTED, length=2)
    bar.set_label("error (1/pixel)", color=MUTED)
    _arc(cells["arc"], scan)
    _profile(cells["profile"], columns, z, y, pixel, unit)
    return figure


def _title(name: str) -> str:
    return name.upper()


def _at(index: int, length: int, pixel: float) -> float:
    return (index - (length - 1) / 2) * pixel


def _image(axes: Axes, data: np.ndarray, pixel: float, **kwargs):
    half_y, half_x = (n / 2 * pixel for n in data.shape)
    axes.tick_params(labelsize=8, colors=MUTED, length=2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes.imshow(data, extent=(-half_x, half_x, half_y, -half_y), interpolation="nearest", **kwargs)


def _arc(axes: Axes, scan: TomoScan) -> None:
    """Which directions were measured: a line for each projection, the gap left open."""
    angles = np.concatenate([scan.angles, scan.angles + np.pi])
    for angle in angles:
        axes.plot([0.35 * np.cos(angle), np.cos(angle)], [-0.35 * np.sin(angle), -np.sin(angle)], color=OURS, lw=0.6)
    axes.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
    axes.axis("off")
    axes.set_title("Measured angles", fontsize=11, color=INK, loc="left")
    for wedge in scan.missing_wedges[:1]:
        middle = np.deg2rad(wedge.start + wedge.width / 2)
        axes.text(0.7 * np.cos(middle), -0.7 * np.sin(middle), f"{wedge.width:.0f}°\nmissing", ha="center", va="center",
                  fontsize=10, color=MUTED)  # fmt: skip


def _profile(axes: Axes, columns: dict[str, np.ndarray], z: int, y: int, pixel: float, unit: str) -> None:
    """The values along the dashed line."""
    for (title, data), (colour, width) in zip(
        columns.items(), ((TRUTH, 1.0), (PLAIN, 1.0), (SMOOTH, 1.2), (OURS, 1.8)), strict=True
    ):
        line = data[z, y]
        axes.plot([_at(i, line.size, pixel) for i in range(line.size)], line, color=colour, lw=width, label=title)
    axes.set_title("Profile along the dashed line", fontsize=11, color=INK, loc="left")
    axes.set_xlabel(f"x ({unit})", color=MUTED)
    axes.set_ylabel("value (1/pixel)", color=MUTED)
    axes.margins(x=0)
    axes.tick_params(labelsize=8, colors=MUTED, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, ncols=len(columns), loc="upper right", bbox_to_anchor=(1, 1.18), fontsize=10)
