"""`napari-pfitre`: everything the project does, from a terminal.

One file a command. A command imports what it needs when it runs, so that ``--help`` answers at once. Results go to
standard output; progress, notices and errors go to standard error.

Exit codes: 0 the file can be used, or the run completed; 1 it cannot, or it failed; 2 the command line is wrong;
130 stopped by Ctrl-C (a run then keeps what it has, see `run`).
"""

from __future__ import annotations

from .command import LazyGroup, main

__all__ = ["cli", "main"]

cli = LazyGroup(
    "napari-pfitre",
    {
        "info": ("info", "What a file holds, and whether it can be used."),
        "run": ("run", "Reconstruct a scan: run METHOD FILE -o OUT."),
        "convert": ("convert", "Scan to Data Exchange, volume to HDF5 or TIFF."),
        "simulate": ("simulate", "Write a simulated scan together with its truth."),
        "train": ("train", "Train the network of a method on simulated data."),
        "benchmark": ("benchmark", "Measure the speed of this machine, or the quality of the methods."),
        "doctor": ("doctor", "Versions, devices, display and memory, ready to paste into a report."),
        "demo": ("demo", "Simulate a chip, reconstruct it three ways, draw the comparison."),
    },
    help="Limited-angle X-ray tomography: open beamline files, reconstruct, save volumes that know their history.",
)
