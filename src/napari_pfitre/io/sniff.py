"""What a file really is, by its first bytes: extensions of beamline files say nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import h5py

from ..errors import FormatError

__all__ = ["identify"]

Kind = Literal["hdf5", "tiff"]

_ASK = "open an HDF5 or TIFF file instead"
#: first bytes → what the file is, and what to do
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "is a Git LFS pointer, not the data; run `git lfs pull` where it came from and try again",
    ),
    (b"\x0e\x03\x13\x01", "is HDF4, which is not read here; convert it to HDF5 first (h4toh5)"),
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "is an OLE2 container as Zeiss/Xradia microscopes write (.txrm, .xrm, .txm), not HDF5; "
        "export it as TIFF or convert it to Data Exchange first (dxchange reads it)",
    ),
    (b"MATLAB 5.0", "is a MATLAB file of version 5, not HDF5; save it again in MATLAB with -v7.3, or export TIFF"),
    (b"<?xml", f"is XML text, not HDF5, whatever its extension says; {_ASK}"),
    (b"<!DOCTYPE", f"is XML text, not HDF5, whatever its extension says; {_ASK}"),
    (b"\x1f\x8b", "is gzip-compressed; unpack it first"),
    (b"PK\x03\x04", "is a ZIP archive (or .npz, .zarr.zip); unpack it first"),
    (b"\x93NUMPY", "is a NumPy array, which carries no angles; save it as TIFF or HDF5"),
    (b"CDF", f"is NetCDF 3, not HDF5; {_ASK}"),
    (b"SIMPLE  =", f"is FITS, not HDF5; {_ASK}"),
    (b"\x89PNG", f"is a PNG picture; {_ASK}"),
)


def identify(path: Path) -> Kind:
    """``"hdf5"`` or ``"tiff"``.

    Raises
    ------
    FormatError
        When it is neither; the sentence names what it is instead.
    """
    try:
        if path.is_dir():
            raise FormatError(f"{path.name} is a folder; give the file in it that holds the scan")
        if not path.is_file() and path.exists():
            raise FormatError(f"{path.name} is no file but a device or a pipe; {_ASK}")
        with open(path, "rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise FormatError(f"{path} does not exist; check the path (is the drive mounted?)") from None
    except PermissionError:
        raise FormatError(f"{path} may not be read by this user; ask its owner for the permission") from None
    except OSError as error:
        raise FormatError(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from None
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if head.startswith(b"\x89HDF\r\n\x1a\n") or h5py.is_hdf5(path):
        return "hdf5"
    if not head:
        raise FormatError(f"{path.name} is empty (0 bytes); the copy or the acquisition failed, get it again")
    for magic, what in _OTHERS:
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(magic):
            raise FormatError(f"{path.name} {what}")
    if not any(head):
        raise FormatError(f"{path.name} begins with nothing but zero bytes; the copy failed, get it again")
    if all(32 <= byte < 127 or byte in b"\r\n\t" for byte in head):
        raise FormatError(f"{path.name} is plain text, not HDF5; {_ASK}")
    raise FormatError(f"{path.name} is neither HDF5 nor TIFF (it begins with {head[:8].hex(' ')}); {_ASK}")
