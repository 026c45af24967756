"""Whatever a file holds, it opens, asks, or is refused in a sentence; and what is written properly is read as it is.

NAPARI_PFITRE_EXAMPLES is the number of files of each property, 60 unless it is set (see benchmarks/README.md).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from beamline_files import write_exchange, write_nxtomo
from bent_files import Bent, bent_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outcomes import BYTES, SECONDS, measured, outcome

from napari_pfitre.io import read_scan

examples = settings(
    max_examples=int(os.environ.get("NAPARI_PFITRE_EXAMPLES", "60")),
    derandomize=True,
    deadline=None,  # computing is measured, below; a wall clock says little on a busy machine
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.mark.timeout(0 if "NAPARI_PFITRE_EXAMPLES" in os.environ else 300)
@examples
@given(bent=bent_files())
def test_a_bent_file_opens_asks_or_is_refused_in_a_sentence(bent: Bent):
    """No other exception, no warning (they are errors here), a bounded time, a bounded memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = bent.write(Path(folder))
        _, cost = measured(lambda: outcome(path))
    assert cost.seconds < SECONDS
    assert cost.memory - cost.before < BYTES


@st.composite
def stacks(draw: st.DrawFn):
    """Frames of a camera that never sees the same twice, and angles that go one way."""
    shape = draw(st.tuples(st.integers(7, 12), st.integers(1, 5), st.integers(2, 6)))
    kind = draw(st.sampled_from(["u1", "<u2", ">u2", "<u4", "<i4", "<f4", ">f4", "<f8"]))
    low = draw(st.integers(60, 100))
    data = (low + np.arange(np.prod(shape)) % 101).reshape(shape).astype(kind)
    step = draw(st.floats(0.5, 15)) * draw(st.sampled_from([1, -1]))
    return data, draw(st.floats(-90, 90)) + step * np.arange(shape[0])


storage = st.sampled_from([{}, {"chunks": True}, {"compression": "gzip"}, {"shuffle": True, "fletcher32": True}])


@examples
@given(
    scan=stacks(),
    storage=storage,
    unit=st.sampled_from(["deg", "degrees", "degree", "rad", "radians"]),
    flats=st.integers(1, 4),
    darks=st.integers(1, 4),
)
def test_what_a_data_exchange_file_says_is_what_is_read(scan, storage, unit, flats, darks):
    data, degrees = scan
    theta = np.deg2rad(degrees) if unit.startswith("rad") else degrees
    with tempfile.TemporaryDirectory() as folder:
        path = write_exchange(Path(folder) / "scan.h5", data, theta, unit, flats, darks, **storage)
        read = read_scan(path, angle_unit="rad" if unit.startswith("rad") else "deg", quantity="counts")
        np.testing.assert_array_equal(read.projections[:], data)
        np.testing.assert_array_equal(read.sinograms(slice(0, 1))[0], data[:, 0])
        np.testing.assert_allclose(np.rad2deg(read.angles), degrees, atol=1e-9)
        assert (len(read.flats), len(read.darks)) == (flats, darks)


@examples
@given(
    keys=st.lists(st.integers(0, 3), min_size=12, max_size=40).filter(lambda keys: keys.count(0) > 6),
    kind=st.sampled_from(["i1", "u1", "<i4", ">i8", "f4"]),
    step=st.floats(0.5, 4),
    unit=st.sampled_from(["deg", "degree", "rad"]),
)
def test_an_nxtomo_file_is_sorted_by_its_keys_wherever_its_flats_are(keys, kind, step, unit):
    keys = np.array(keys)
    degrees = np.where(keys == 0, (np.cumsum(keys == 0) - 1) * step, 0)
    told = np.deg2rad(degrees) if unit == "rad" else degrees
    with tempfile.TemporaryDirectory() as folder:
        read = read_scan(write_nxtomo(Path(folder) / "scan.nx", keys, told, unit, kind), quantity="counts")
        assert read.projections[:, 0, 0].tolist() == (1000 + np.flatnonzero(keys == 0)).tolist()
        np.testing.assert_allclose(np.rad2deg(read.angles), degrees[keys == 0], atol=1e-9)
        for stack, key in ((read.flats, 1), (read.darks, 2)):
            held = [] if stack is None else stack[:, 0, 0].tolist()
            assert held == (1000 + np.flatnonzero(keys == key)).tolist()
