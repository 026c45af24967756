"""One decoder for text, one for numbers, one for lengths and energies."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from napari_pfitre.io.values import attribute, energy_kev, length, number, text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        (b"bytes", "bytes"),
        (np.bytes_(b"10.5\r"), "10.5"),
        (np.array([b"one"]), "one"),
        (np.array([["nested"]], dtype=object), "nested"),
        (b"Gr\xf6\xdfe", "Größe"),
        ("Größe".encode(), "Größe"),
        (b"padded\0\0\0", "padded"),
        (h5py.Empty("S10"), ""),
        (np.array([], object), ""),
        (None, ""),
        (3.5, "3.5"),
    ],
)
def test_text(value, expected):
    assert text(value) == expected


def test_text_of_datasets_and_attributes(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["scalar"], file["one"], file["fixed"] = "x", ["y"], np.array([b"z" * 3], "S256")
        file["null"] = h5py.Empty("S1")
        file.attrs["raw"] = np.bytes_(b"\xb5m")
        assert [text(file[name]) for name in ("scalar", "one", "fixed", "null")] == ["x", "y", "zzz", ""]
        assert attribute(file, "missing", "raw") == "µm"
        assert attribute(None, "raw") == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, (3.0, "")),
        (np.array([[2.5]]), (2.5, "")),
        ("38.2nm", (38.2, "nm")),
        (b"-1.5e-3 mm\r", (-0.0015, "mm")),
        ("10 x", (10.0, "x")),
        ("R:\\path", (None, "")),
        (np.nan, (None, "")),
        (np.array([]), (None, "")),
        (True, (1.0, "")),
    ],
)
def test_numbers(value, expected):
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "unit", "unstated", "metres", "told"),
    [
        (6.5e-7, "m", (), 6.5e-7, False),
        (650, "nm", (), 6.5e-7, False),
        (0.65, "µm", (), 6.5e-7, False),
        (0.65, "microns", (), 6.5e-7, False),
        (0.00065, "", ("um", "mm", "m"), 6.5e-7, True),
        (0.65, "", ("um", "mm", "m"), 6.5e-7, True),
        (1.0, "m", ("um",), None, True),
        (0, "um", (), None, True),
        (-1, "um", (), None, True),
        (5, "furlong", (), None, True),
        ("b2017b74", "", (), None, True),
        ("", "", (), None, False),
    ],
)
def test_lengths(value, unit, unstated, metres, told):
    size, sentence = length(value, unit, unstated=unstated)
    assert size == (None if metres is None else pytest.approx(metres))
    assert bool(sentence) == told


@pytest.mark.parametrize(
    ("value", "unit", "kev", "told"),
    [
        (19.0, "keV", 19.0, False),
        (19000, "eV", 19.0, False),
        (19.0, "kiloelectron_volt", 19.0, False),
        (2.0280385e-15, "", 12.658, True),
        (19000.0, "", 19.0, True),
        (19000.0, "keV", 19.0, True),
        (19.0, "", 19.0, True),
        (0, "keV", None, False),
        ("none", "", None, False),
    ],
)
def test_energies(value, unit, kev, told):
    found, sentence = energy_kev(value, unit)
    assert found == (None if kev is None else pytest.approx(kev, rel=1e-4))
    assert bool(sentence) == told
