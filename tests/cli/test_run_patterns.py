"""`run` on patterns: prepared as they need, refused by methods for projections, made again from the result."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.io import read_volume

QUICK = ["--starts", "1", "--schedule", "5 ER", "--refinement", "0", "--device", "cpu"]


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """A ball's pattern, whole photons, peak beside the middle."""
    shape = (24, 26, 28)
    grids = np.meshgrid(*[np.arange(n) - n // 2 for n in shape], indexing="ij")
    ball = (sum(g**2 for g in grids) <= 16).astype(float)
    rate = np.abs(np.fft.fftshift(np.fft.fftn(ball))) ** 2
    path = tmp_path_factory.mktemp("pattern") / "scan.npz"
    counts = np.random.default_rng(0).poisson(3e5 * rate / rate.sum())
    np.savez(path, data=np.roll(counts, (1, -1, 2), (0, 1, 2)).astype(np.int32))
    return path


def test_a_pattern_is_prepared_inverted_and_written(call, pattern, tmp_path):
    out = tmp_path / "crystal.cxi"
    result = call("run", "phase-retrieval", pattern, "--out", out, "--shape", "20", "--threshold", "0", *QUICK)
    assert result.exit_code == 0, result.output
    assert "a pattern of 20 × 20 × 20 voxels" in result.stderr
    assert "chi2" in result.stdout
    volume = read_volume(out)
    assert volume.data.shape == (20, 20, 20)
    assert {"phase", "support"} <= set(volume.layers)
    prepared = next(step for step in volume.provenance.history if step["name"] == "prepare")
    assert prepared["parameters"]["shape"] == "20"


def test_like_repeats_the_preparation(call, pattern, tmp_path):
    first, again = tmp_path / "first.h5", tmp_path / "again.h5"
    assert call("run", "phase-retrieval", pattern, "-o", first, "--shape", "20", *QUICK).exit_code == 0
    result = call("run", "--like", first, "-o", again)
    assert result.exit_code == 0, result.output
    assert "a pattern of 20 × 20 × 20 voxels" in result.stderr
    np.testing.assert_array_equal(read_volume(first).data, read_volume(again).data)


def test_methods_for_projections_refuse_a_pattern_and_the_other_way_round(call, pattern, scan_file, tmp_path):
    result = call("run", "fbp", pattern, "-o", tmp_path / "x.h5")
    assert result.exit_code == 1
    assert "scan.npz holds a diffraction pattern, which FBP is not for" in result.stderr
    result = call("run", "phase-retrieval", scan_file, "-o", tmp_path / "x.h5")
    assert result.exit_code == 1
    assert "scan.h5 holds projections, which Phase retrieval is not for" in result.stderr
    assert not (tmp_path / "x.h5").exists()


def test_info_of_a_pattern(call, pattern):
    result = call("info", pattern)
    assert result.exit_code == 0
    assert "24 frames of 26 rows × 28 columns" in result.stdout
