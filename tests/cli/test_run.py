"""`run`: from a file to a volume that knows how it was made, or to one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from napari_pfitre import RECIPES, finish, read_scan, read_volume, write_volume
from napari_pfitre.cli import bar
from napari_pfitre.preprocess import PrepareOptions, prepare
from napari_pfitre.recipes.fista_tv import FistaTvOptions
from napari_pfitre.results import Progress
from napari_pfitre.scans import Step


def test_flags_reach_the_method_the_preparation_and_the_reader(call, scan_file, tmp_path):
    out = tmp_path / "out.h5"
    result = call("run", "fista-tv", scan_file, "-o", out, "--iterations", 7, "--dimensions", "2-D", "--rows", "1:4",
                  "--energy-kev", 8, "--device", "cpu")  # fmt: skip
    assert result.exit_code == 0, result.output
    made = read_volume(out)
    scan = prepare(read_scan(scan_file), PrepareOptions(rows="1:4"))
    options = FistaTvOptions(iterations=7, dimensions="2-D")
    np.testing.assert_allclose(made.data, finish(RECIPES["fista-tv"].run(scan, options, device="cpu")).data, atol=5e-5)
    assert made.provenance.options["iterations"] == 7
    assert made.provenance.energy_kev == 8
    assert not made.partial
    assert "40° missing" in result.stderr
    assert "FISTA-TV needs about" in result.stderr
    assert "7/7" in result.stderr
    assert str(out) in result.stdout


def test_a_run_is_repeated_from_its_volume(call, scan_file, tmp_path):
    first, second, third = (tmp_path / name for name in ("first.h5", "second.tif", "third.h5"))
    words = ["--iterations", 6, "--rows", "0:2", "--bin", 2, "--energy-kev", 7]
    assert call("run", "fista-tv", scan_file, "-o", first, *words).exit_code == 0
    assert call("run", "--like", first, "-o", second).exit_code == 0
    assert call("run", f"--like={second}", "-o", third, "--weight", 3).exit_code == 0
    one, two, three = (read_volume(path) for path in (first, second, third))
    np.testing.assert_allclose(one.data, two.data, atol=5e-5)
    assert one.provenance.options == two.provenance.options
    assert one.provenance.history == two.provenance.history
    assert three.provenance.options == {**one.provenance.options, "weight": 3.0}
    assert not np.allclose(one.data, three.data)


def test_what_the_load_widget_cut_out_is_cut_out_again(call, scan_file, tmp_path):
    """A volume of napari: rows and binning chosen on loading are a step of their own."""
    scan = read_scan(scan_file).replace(Step("load", {"rows": "1:3", "bin": 2}))
    volume = finish(RECIPES["fbp"].run(prepare(scan)))
    write_volume(volume, tmp_path / "first.h5")
    result = call("run", "--like", tmp_path / "first.h5", "-o", tmp_path / "second.h5")
    assert result.exit_code == 0, result.output
    assert "binned by 2 while loading" in result.stderr
    prepared = next(
        step for step in read_volume(tmp_path / "second.h5").provenance.history if step["name"] == "prepare"
    )
    assert (prepared["parameters"]["rows"], prepared["parameters"]["bin"]) == ("1:3", 2)


def test_another_method_takes_data_and_preparation(call, scan_file, tmp_path):
    first, second = tmp_path / "first.h5", tmp_path / "second.h5"
    assert call("run", "fista-tv", scan_file, "-o", first, "--iterations", 3, "--rows", "0:2").exit_code == 0
    result = call("run", "fbp", "--like", first, "-o", second)
    assert result.exit_code == 0, result.output
    assert "was made by fista-tv" in result.stderr
    assert read_volume(second).data.shape == (2, 32, 32)


def test_what_is_there_is_not_overwritten_unless_asked(call, scan_file, tmp_path):
    out = tmp_path / "out.h5"
    out.write_text("dear")
    result = call("run", "fbp", scan_file, "-o", out)
    assert result.exit_code == 1
    assert "--overwrite" in result.stderr
    assert out.read_text() == "dear"
    assert call("run", "fbp", scan_file, "-o", out, "--overwrite").exit_code == 0
    assert read_volume(out).data.shape == (5, 32, 32)


def test_the_scan_itself_is_never_the_target(call, scan_file):
    before = scan_file.read_bytes()
    result = call("run", "fbp", scan_file, "-o", scan_file, "--overwrite")
    assert result.exit_code == 1
    assert "is the file being read" in result.stderr
    assert scan_file.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["fista-tv", "SCAN", "-o", "out.h5", "--iterations", "0"], 2, "--iterations"),
        (["fista-tv", "SCAN", "-o", "out.h5", "--wieght", "1"], 2, "--weight"),
        (["fista-tw", "SCAN", "-o", "out.h5"], 2, "fista-tw"),
        (["fbp", "SCAN"], 2, "--output"),
        (["fbp", "-o", "out.h5"], 2, "FILE"),
        (["fbp", "SCAN", "-o", "out.png"], 2, "should end in one of .h5"),
        (["fbp", "SCAN", "-o", "nowhere/out.h5"], 1, "nowhere does not exist"),
        (["fbp", "nothing.h5", "-o", "out.h5"], 1, "nothing.h5"),
        (["fbp", "SCAN", "-o", "out.h5", "--rows", "7:9"], 1, "rows"),
        (["fbp", "SCAN", "-o", "out.h5", "--angles", "1,2,3"], 1, "for 24 projections"),
        (["fbp", "--like", "SCAN", "-o", "out.h5"], 1, "SCAN"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(call, scan_file, tmp_path, monkeypatch, words, code, sentence):
    monkeypatch.chdir(tmp_path)
    result = call("run", *(word.replace("SCAN", scan_file.name) for word in words))
    assert result.exit_code == code, result.output
    assert sentence.replace("SCAN", scan_file.name) in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out.h5").exists()


def test_a_traceback_is_shown_when_asked_for(call, scan_file, tmp_path):
    result = call("run", "fbp", scan_file, "-o", tmp_path / "out.h5", "--rows", "7:9", "--traceback")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr


def test_what_does_not_fit_is_refused_unless_forced(call, scan_file, tmp_path, monkeypatch):
    monkeypatch.setattr("napari_pfitre.cli.job.available_memory", lambda device="cpu": 1000)
    out = tmp_path / "out.h5"
    result = call("run", "fbp", scan_file, "-o", out)
    assert result.exit_code == 1
    assert "needs about" in result.stderr
    assert "--force" in result.stderr
    assert call("run", "fbp", scan_file, "-o", out, "--force").exit_code == 0


def test_a_run_that_was_stopped_leaves_a_partial_volume(call, scan_file, tmp_path, monkeypatch):
    """As with Ctrl-C, but at a known moment: the third step."""
    seen = []
    monkeypatch.setattr(bar.Bar, "__call__", lambda self, progress: seen.append(progress))
    monkeypatch.setattr(bar.Interrupt, "__call__", lambda self: len(seen) >= 3)
    out = tmp_path / "out.h5"
    result = call("run", "fista-tv", scan_file, "-o", out)
    assert result.exit_code == 130
    assert read_volume(out).partial
    assert len(seen) < 6
    assert "PARTIAL" in result.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_once_keeps_what_there_is(scan_file, tmp_path):
    """The real thing: a process of its own, a signal, exit code 130."""
    out = tmp_path / "out.h5"
    words = ["run", "fista-tv", scan_file, "-o", out, "--iterations", "10000", "--tolerance", "0", "--device", "cpu"]
    command = [sys.executable, "-u", "-m", "napari_pfitre", *map(str, words)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:  # the first line about a step: the run is under way
            if "/10000" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
        assert process.wait(timeout=120) == 130, rest
    assert "what there is will be kept" in rest
    volume = read_volume(out)
    assert volume.partial
    assert volume.provenance.figures.get("iterations", 0) < 10000


def test_gridrec_without_tomopy_says_what_is_missing(call, scan_file, tmp_path, monkeypatch):
    monkeypatch.delitem(RECIPES, "gridrec", raising=False)
    result = call("run", "gridrec", scan_file, "-o", tmp_path / "out.h5")
    assert result.exit_code == 2
    assert "needs TomoPy" in result.stderr


def test_the_second_ctrl_c_insists():
    before = signal.getsignal(signal.SIGINT)  # ignored where a shell put the tests into the background
    with bar.Interrupt() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_log_file_gets_few_lines_and_the_last_one(capsys):
    with bar.Bar() as shown:
        for step in range(101):
            shown(Progress(step, 100, "working", objective=1.25, residual=0.5))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "100/100  working  objective 1.25  residual 50.00%"
    assert len(lines) <= 4


def test_what_is_left_counts_from_where_the_run_went_on(monkeypatch, capsys):
    clock = iter([100.0, 110.0, 120.0])
    monkeypatch.setattr(bar.time, "monotonic", lambda: next(clock))
    with bar.Bar() as shown:
        for step in (900, 910, 920):  # of which 900 were done yesterday
            shown(Progress(step, 1000, "working"))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["900/1000  working", "910/1000  working  90 s left", "920/1000  working  80 s left"]


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with bar.Bar() as shown:
        shown(Progress(3, 12, "iteration 3", objective=1.25))
        shown(Progress(12, 12, "iteration 12", objective=1.0))
    text = capsys.readouterr().err
    assert "12/12" in text
    assert "objective 1" in text
