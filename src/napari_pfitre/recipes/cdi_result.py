"""A pattern as phasing has it, and the volume that comes of an object: canonical, with its figures and its history."""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np

from ..device import device_name
from ..errors import ScanError
from ..options import as_dict
from ..preprocess import prepare_pattern
from ..results import Provenance, Volume
from ..scans import CdiScan
from .journal import source_of, versions_used

if TYPE_CHECKING:
    import torch

    from ..operators.far_field import FarField

__all__ = [
    "AS_GOOD",
    "KEPT_OUT",
    "NOISE_FILTER",
    "Clock",
    "KeptOut",
    "LabFrame",
    "NoiseFilter",
    "Pattern",
    "object_volume",
    "pattern_of",
    "ready_pattern",
]

SURFACE = 0.44  #: of the crystal's amplitude; half of it, but noise and strain make some voxels of its rim fainter
NOISE_FILTER = 0.3  #: photons; nearest to the truth on crystals of other seeds than the benchmark's
THEREABOUTS = 1.0  #: voxels (σ) over which photons are averaged to tell how many to expect in one
FAINT = 0.1  #: of the crystal's amplitude; below it a phase says nothing
KEPT_OUT = 0.02  #: of the voxels; enough to judge by, too few to be missed
AS_GOOD = 1.15  #: times the best free chi²: starts that are averaged

# What every phasing is asked.
NoiseFilter = Annotated[
    float, {"min": 0.0, "max": 100.0, "step": 0.1, "label": "Noise filter", "unit": "photons", "tooltip": "After the "
            "refinement, frequencies count by n / (n + this), n the photons there: what was hardly measured is noise. "
            "0 leaves all; counts that are no photons want a value in their unit."},
]  # fmt: skip
KeptOut = Annotated[
    float, {"min": 0.0, "max": 0.2, "step": 0.01, "label": "Kept out", "unit": "of the voxels", "tooltip": "Not used, "
            "to tell by them how well the object foretells what it was not fitted to."},
]  # fmt: skip
LabFrame = Annotated[
    bool, {"label": "Laboratory frame", "tooltip": "Resample the crystal onto a cubic grid with the laboratory's axes; "
           "needs the geometry of the scan."},
]  # fmt: skip


class Clock:
    """When a run started, and how long it took."""

    def __init__(self) -> None:
        self.started = datetime.datetime.now().astimezone()
        self._from = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._from


@dataclass(frozen=True, eq=False)
class Pattern:
    """The measured amplitudes, zero at index 0, on the device that computes."""

    A: FarField
    amplitude: torch.Tensor  #: (z, y, x), √ of the intensity; negative where not measured or kept out
    whole: np.ndarray  #: (z, y, x), √ of the intensity, peak at n // 2
    mask: np.ndarray  #: the same, bool; True where nothing was measured
    kept_out: np.ndarray | None  #: the same, bool; True where phasing does not look

    def to_corner(self, x: torch.Tensor) -> torch.Tensor:
        """Zero from index n // 2 to index 0."""
        import torch

        return torch.fft.ifftshift(x)

    def to_centre(self, x: torch.Tensor) -> torch.Tensor:
        """Zero from index 0 to index n // 2."""
        import torch

        return torch.fft.fftshift(x)

    def scaled(self, x: torch.Tensor) -> torch.Tensor:
        """An object with the power of the data."""
        power = self.amplitude.clamp(min=0).square().sum()
        return x * (power / x.abs().square().sum().clamp(min=1e-30)).sqrt()

    def without_noise(self, psi: torch.Tensor, photons: float) -> torch.Tensor:
        """An object with zero at n // 2, its frequencies times n / (n + `photons`): Wiener's filter.

        n are the photons thereabouts, of the voxels that phasing saw. Where hardly any were counted, modulus and phase
        are noise that the support alone holds down; it does so by the oversampling, hence a fraction of one photon.
        """
        from ..solvers.shrink_wrap import blurred

        if photons <= 0:
            return psi
        seen = (self.amplitude >= 0).float()
        counted = blurred(self.amplitude.square() * seen, THEREABOUTS) / blurred(seen, THEREABOUTS).clamp(min=1e-3)
        n = counted.clamp(min=0)
        return self.to_centre(self.A.adjoint(self.A(self.to_corner(psi)) * (n / (n + photons))))

    def modulus(self, psi: torch.Tensor) -> np.ndarray:
        """|F| of an object with its zero at n // 2, with its peak there as well."""
        return self.to_centre(self.A(self.to_corner(psi))).abs().cpu().numpy()

    def chi2(self, psi: torch.Tensor) -> tuple[float, float]:
        """Of the voxels that were used, and of those kept out (nan when there are none)."""
        from ..metrics import chi_squared

        modulus = self.modulus(psi)
        used = ~self.mask if self.kept_out is None else ~(self.mask | self.kept_out)
        own = chi_squared(modulus, self.whole, used)
        if self.kept_out is None:
            return own, float("nan")
        power = float(np.sum(modulus[used].astype(np.float64) ** 2))
        scale = float(np.sum(modulus[used].astype(np.float64) * self.whole[used])) / power if power else 0.0
        return own, chi_squared(modulus, self.whole, self.kept_out & ~self.mask, scale=scale)


class _Inverting(Protocol):
    """What options of methods that invert patterns have in common."""

    @property
    def lab_frame(self) -> bool: ...
    @property
    def kept_out(self) -> float: ...
    @property
    def seed(self) -> int: ...


def ready_pattern(scan: CdiScan, device: torch.device, options: _Inverting) -> tuple[CdiScan, Pattern]:
    """The scan, prepared if it was not, and its pattern.

    Raises
    ------
    ScanError
        When there is nothing to invert, or no geometry for the laboratory frame that was asked for.
    """
    if not any(step.name == "prepare" for step in scan.history):
        scan = prepare_pattern(scan)
    if options.lab_frame and scan.geometry is None:
        raise ScanError(
            f"the laboratory frame of {scan.name} is not known, as the file tells no angles; switch the option off"
        )
    pattern = pattern_of(scan, device, options.kept_out, options.seed)
    if not bool((pattern.amplitude > 0).any()):
        raise ScanError(f"{scan.name} has no photons where it is measured; check its mask, and the threshold")
    return scan, pattern


def pattern_of(scan: CdiScan, device: torch.device, kept_out: float, seed: int) -> Pattern:
    """A prepared scan as phasing has it.

    Parameters
    ----------
    kept_out
        Part of the measured voxels that phasing is not to see; drawn anew for another seed.
    """
    import torch

    from ..operators.far_field import FarField

    intensity = np.asarray(scan.intensity, dtype=np.float32)
    mask = np.zeros(intensity.shape, bool)
    if scan.mask is not None:
        mask |= np.asarray(scan.mask)
    whole = np.sqrt(np.maximum(intensity, 0))
    out = None
    if kept_out > 0:
        out = (np.random.default_rng(seed).random(intensity.shape) < kept_out) & ~mask
    hidden = mask if out is None else mask | out
    amplitude = np.fft.ifftshift(np.where(hidden, np.float32(-1), whole))
    return Pattern(FarField(intensity.shape, device), torch.from_numpy(amplitude).to(device), whole, mask, out)


def object_volume(
    scan: CdiScan, pattern: Pattern, psi: torch.Tensor, others: Sequence[torch.Tensor], *, recipe: str, options: Any,
    device: torch.device, clock: Clock, figures: Mapping[str, float], partial: bool, seed: int | None,
    in_lab_frame: bool = False,
) -> Volume:  # fmt: skip
    """The volume of an object (z, y, x) with its zero at n // 2.

    Parameters
    ----------
    others
        Objects of other starts, psi's own among them; when there are several, what they agree on is told.
    in_lab_frame
        On a cubic grid with the laboratory's axes; the scan's geometry has to be known.
    """
    from ..metrics import canonical
    from ..solvers.shrink_wrap import plateau
    from .strain import displacement, lab_frame, strain

    own, free = pattern.chi2(psi)
    told = dict(figures) | {"chi2": own}
    if np.isfinite(free):
        told["free chi2"] = free
    if len(others) > 1:
        told |= _agreement(scan, pattern, [one.cpu().numpy() for one in others])
    form = canonical(psi.cpu().numpy())
    layers: dict[str, np.ndarray] = {}
    if len(others) > 1 and not in_lab_frame:
        layers |= _spread(form, others)
    steps = None if scan.geometry is None else scan.geometry.voxels(scan.shape)
    if in_lab_frame and scan.geometry is not None:
        form, edge = lab_frame(form, scan.geometry)
        steps = edge * np.eye(3)[::-1]  # z, y, x
    import torch

    amplitude = np.abs(form).astype(np.float32)
    density = plateau(torch.from_numpy(amplitude)) or 1.0
    amplitude /= np.float32(density)
    support = amplitude > SURFACE
    phase = np.where(amplitude > FAINT, np.angle(form), 0).astype(np.float32)
    voxels = None
    told |= {"support voxels": float(support.sum()), "photons": float(np.sum(pattern.whole[~pattern.mask] ** 2))}
    layers = {"phase": phase, "support": support.astype(np.float32), **layers}
    if scan.geometry is not None and steps is not None:
        lengths = np.linalg.norm(steps, axis=1)
        voxels = (float(lengths[0]), float(lengths[1]), float(lengths[2]))
        told["support volume (nm³)"] = float(support.sum() * abs(np.linalg.det(steps)) * 1e27)
        told["lattice spacing (nm)"] = scan.geometry.spacing * 1e9
        layers["displacement"] = displacement(form, support, scan.geometry.q)
        layers["strain"] = strain(form, support, steps, scan.geometry.q)
        told["rms strain"] = float(np.sqrt(np.mean(layers["strain"][support] ** 2))) if support.any() else 0.0
    provenance = Provenance(
        recipe=recipe, options=as_dict(options), source=source_of(scan), shape=scan.shape, energy_kev=scan.energy_kev,
        history=tuple({"name": step.name, "parameters": dict(step.parameters)} for step in scan.history),
        notices=scan.notices, versions=versions_used(), device=device_name(device), seed=seed,
        started=clock.started.isoformat(timespec="seconds"), seconds=round(clock.seconds, 3), partial=partial,
        figures={name: float(value) for name, value in told.items()},
    )  # fmt: skip
    return Volume(amplitude, voxels, provenance, name=f"{scan.name} · {recipe}", unit="amplitude", layers=layers)


def _spread(form: np.ndarray, others: Sequence[torch.Tensor]) -> dict[str, np.ndarray]:
    """Standard deviations over the starts: of the phase in radians, and of the amplitude over the crystal's own."""
    from ..metrics import align_to
    from ..solvers.shrink_wrap import plateau

    aligned = np.stack([align_to(one.cpu().numpy(), form)[0] for one in others]).astype(np.complex64)
    mean = aligned.mean(axis=0)
    import torch

    level = plateau(torch.from_numpy(np.abs(mean))) or 1.0
    apart = np.angle(aligned * np.conj(mean))
    phase = np.where(np.abs(mean) > FAINT * level, np.sqrt(np.mean(apart**2, axis=0)), 0)
    size = np.std(np.abs(aligned), axis=0) / level
    return {"spread of phase": phase.astype(np.float32), "spread of amplitude": size.astype(np.float32)}


def _agreement(scan: CdiScan, pattern: Pattern, objects: Sequence[np.ndarray]) -> dict[str, float]:
    """How far the starts agree: spread of the phase, and the resolution to which the mean keeps its modulus."""
    from ..metrics import align_to, prtf, prtf_resolution

    aligned = np.stack([objects[0], *(align_to(one, objects[0])[0] for one in objects[1:])])
    mean = aligned.mean(axis=0)
    inside = np.abs(mean) > SURFACE * np.percentile(np.abs(mean)[np.abs(mean) > 0.3 * np.abs(mean).max()], 50)
    apart = np.angle(aligned[:, inside] * np.conj(mean[inside]))
    told = {"spread of phase": float(np.sqrt(np.mean(apart**2)))}
    field = np.abs(np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(mean))))
    measured = ~pattern.mask & (pattern.whole > 0)
    if scan.geometry is None:
        told["resolution (voxels)"] = prtf_resolution(prtf(field, pattern.whole, measured))
    else:
        steps = np.asarray(scan.geometry.steps) / (2 * np.pi)
        told["resolution (nm)"] = 1e9 * prtf_resolution(prtf(field, pattern.whole, measured, steps=steps))
    return told
