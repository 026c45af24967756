"""What `doctor` looks at. Each thing is looked at so that a broken one is a line in the report, not the end of it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil

from ..device import size_text

__all__ = ["lines", "missing"]

REQUIRED = (
    "numpy", "scipy", "h5py", "hdf5plugin", "torch", "finufft", "numba", "scikit-image", "algotom", "tifffile", "dask",
    "click", "rich", "matplotlib",
)  # fmt: skip
WINDOW = ("napari", "npe2", "qtpy", "superqt", "magicgui", "PyQt6", "PySide6", "vispy")
OPTIONAL = ("tomopy", "astra-toolbox", "svmbir", "mbirjax")

# In a process of its own: a broken driver ends that one, not this.
GL_PROBE = """
from qtpy.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext
from qtpy import API_NAME, QT_VERSION
print("Qt binding:", API_NAME, "on Qt", QT_VERSION)
app = QGuiApplication([])
print("Qt platform:", app.platformName())
surface = QOffscreenSurface(); surface.create()
context = QOpenGLContext()
if not (context.create() and context.makeCurrent(surface)):
    print("OpenGL: no context can be made; napari's canvas will stay empty")
else:
    from OpenGL import GL
    print("OpenGL:", GL.glGetString(GL.GL_VERSION).decode(), "by", GL.glGetString(GL.GL_RENDERER).decode())
"""


def lines() -> Iterator[str]:
    """The report, line by line."""
    from .. import __version__

    yield f"napari-pfitre {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield f"Python at {sys.executable}"
    for title, names in (("Needed", REQUIRED), ("Window", WINDOW), ("Optional", OPTIONAL)):
        yield f"{title}: " + ", ".join(f"{name} {version(name) or 'absent'}" for name in names)
    memory = psutil.virtual_memory()
    yield f"Memory: {size_text(memory.available)} free of {size_text(memory.total)}"
    yield f"Processors: {len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}"
    yield from devices()
    yield from display()
    yield from folders()


def version(name: str) -> str | None:
    """The installed version of a package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def missing() -> list[str]:
    """Packages that a reconstruction needs and that are not there."""
    return [name for name in REQUIRED if version(name) is None]


def devices() -> Iterator[str]:
    """What torch can compute on."""
    try:
        import torch
    except Exception as error:  # a broken installation raises ImportError, OSError, …: all of them are findings
        yield f"Devices: torch cannot be imported ({type(error).__name__}: {error})"
        return
    yield f"Devices: cpu with {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name, cuda = torch.cuda.get_device_name(index), torch.version.cuda
            yield f"         cuda:{index} {name}, {size_text(free)} free of {size_text(total)}, CUDA {cuda}"
    else:
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        yield f"         no CUDA device (torch is {built})"
    if torch.backends.mps.is_available():
        yield "         mps (Apple GPU)"


def display() -> Iterator[str]:
    """Whether napari could open a window here."""
    if version("qtpy") is None or not (version("PyQt6") or version("PySide6") or version("PyQt5")):
        yield 'Display: no Qt binding; for the napari plugin: pip install "napari-pfitre[all]"'
        return
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        yield "Display: none (DISPLAY is not set); the command line needs none"
        return
    try:
        probe = subprocess.run([sys.executable, "-c", GL_PROBE], capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        yield "Display: Qt did not answer within 30 s"
        return
    yield from probe.stdout.splitlines()
    if probe.returncode:
        words = probe.stderr.strip().splitlines() or [f"exit code {probe.returncode}"]
        yield f"Display: Qt failed: {words[-1]}"


def folders() -> Iterator[str]:
    """Where files may be written."""
    for title, folder in (("Working folder", Path.cwd()), ("Temporary folder", Path(tempfile.gettempdir()))):
        state = "writable" if os.access(folder, os.W_OK) else "NOT writable"
        free = size_text(psutil.disk_usage(str(folder)).free)
        yield f"{title}: {folder}, {state}, {free} free"
