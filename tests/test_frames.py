"""Lazy stacks behave as the arrays they stand for, and read no more than is asked."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pfitre.frames import LazyFrames, Selected, Transposed, runs, size_text
from napari_pfitre.scans import TomoScan, row_blocks

ARRAY = np.arange(6 * 5 * 7).reshape(6, 5, 7)


class Counted(LazyFrames):
    """An array that remembers which regions were read."""

    def __init__(self, array: np.ndarray, chunks=None):
        self.array, self.shape, self.dtype, self.reads, self._chunks = array, array.shape, array.dtype, [], chunks

    @property
    def chunks(self):
        return self._chunks

    def read(self, frames, rows, columns):
        self.reads.append((frames, rows, columns))
        return self.array[frames, rows, columns]


@pytest.mark.parametrize(
    "key",
    [
        0,
        -1,
        slice(None),
        slice(1, 4),
        slice(None, None, -1),
        slice(4, 1, -2),
        slice(3, 3),
        (2, 3, 4),
        (..., 2),
        (slice(None), 1),
        (slice(1, 5, 2), ..., slice(None, None, 3)),
        (np.int64(3), slice(-2, None)),
    ],
    ids=str,
)
def test_indexing_is_that_of_numpy(key):
    np.testing.assert_array_equal(Counted(ARRAY)[key], ARRAY[key])


@pytest.mark.parametrize("key", [6, -7, (0, 5), (0, 0, 0, 0)], ids=str)
def test_an_index_out_of_range_is_an_error(key):
    with pytest.raises(IndexError):
        Counted(ARRAY)[key]


def test_only_the_region_asked_for_is_read():
    frames = Counted(ARRAY)
    frames[2:4, 1, ::2]
    assert frames.reads == [(slice(2, 4), slice(1, 2), slice(0, 7))]


def test_an_array_can_be_made_of_it():
    np.testing.assert_array_equal(np.asarray(Counted(ARRAY), dtype=float), ARRAY)
    assert len(Counted(ARRAY)) == 6
    assert Counted(ARRAY).nbytes == ARRAY.nbytes


def test_runs_are_maximal():
    assert list(runs(np.array([0, 1, 2, 5, 7, 8]))) == [slice(0, 3), slice(5, 6), slice(7, 9)]
    assert list(runs(np.array([], int))) == []
    assert list(runs(np.array([3, 2, 1]))) == [slice(3, 4), slice(2, 3), slice(1, 2)]


def test_selected_frames_are_read_in_runs():
    parent = Counted(ARRAY)
    chosen = Selected(parent, np.array([5, 0, 1, 2]))
    np.testing.assert_array_equal(chosen[:, 1:3], ARRAY[[5, 0, 1, 2], 1:3])
    assert [frames for frames, _, _ in parent.reads] == [slice(5, 6), slice(0, 3)]
    assert chosen[0:0].shape == (0, 5, 7)


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0)])
def test_transposed_is_a_transpose(order):
    turned = Transposed(Counted(ARRAY, chunks=(1, 5, 7)), order)
    np.testing.assert_array_equal(turned[1:3, :, 2], ARRAY.transpose(order)[1:3, :, 2])
    assert turned.chunks == tuple((1, 5, 7)[axis] for axis in order)


def test_a_stack_laid_over_another_knows_its_chunks():
    assert Selected(Counted(ARRAY, chunks=(1, 5, 7)), np.arange(3)).chunks == (1, 5, 7)
    assert Selected(ARRAY, np.arange(3)).chunks is None


def scan_of(n_angles: int, n_rows: int, n_columns: int, chunks=None) -> TomoScan:
    frames = Counted(np.zeros((n_angles, n_rows, n_columns), np.uint16), chunks)
    return TomoScan(frames, np.linspace(0, 3, n_angles))


@pytest.mark.parametrize(
    ("chunks", "most", "expected"),
    [
        (None, 4, [(0, 4), (4, 8), (8, 10)]),
        ((1, 10, 8), 4, [(0, 4), (4, 8), (8, 10)]),
        ((3, 3, 8), 5, [(0, 3), (3, 6), (6, 9), (9, 10)]),
        ((3, 4, 8), 2, [(0, 4), (4, 8), (8, 10)]),
        ((3, 8, 8), 2, [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]),
        (None, 0, [(at, at + 1) for at in range(10)]),
        (None, 1000, [(0, 10)]),
    ],
)
def test_row_blocks_are_large_and_end_where_storage_groups_end(chunks, most, expected):
    blocks = row_blocks(scan_of(6, 10, 8, chunks), most)
    assert [(block.start, block.stop) for block in blocks] == expected


def test_sizes_are_said_as_people_do():
    assert [size_text(n) for n in (0, 999, 1500, 24e9, 3e15)] == ["0 B", "999 B", "1.5 kB", "24.0 GB", "3000.0 TB"]
