"""Metrics per class for the card of PFITRE's weights:  python benchmarks/card.py REPORT.json WEIGHTS.safetensors

REPORT.json is what ``napari-pfitre benchmark quality --no-displaced --out REPORT.json`` wrote of these weights: mean
PSNR in dB by class and angles, FISTA-TV with the weight that is best with the truth in hand.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_pfitre.benchmark.contestants import FISTA_TV, MEAN, ONE_PASS
from napari_pfitre.io.atomic import replacing
from napari_pfitre.networks import load_network

METHODS = {"fista_tv": FISTA_TV, "one_pass": ONE_PASS, "loop": MEAN}


def main(report: Path, weights: Path) -> None:
    told = json.loads(report.read_text(encoding="utf-8"))
    _, card = load_network(weights)
    if told["weights"].get("sha256") != card.sha256:
        raise SystemExit(f"{report.name} is not of {weights.name}: run the benchmark with --weights {weights}")
    name = "scans that no training saw, 256² × 16, PSNR in dB"
    card = dataclasses.replace(card, metrics={**card.metrics, name: by_class(told["rows"])})
    with replacing(weights.with_suffix(".json")) as part:
        part.write_text(card.to_json(), encoding="utf-8")


def by_class(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if not row["jitter"]:
            found[row["kind"]][row["geometry"]].append(row["methods"])
    return {
        kind: {geometry: {"scans": len(of), **means(of)} for geometry, of in geometries.items()}
        for kind, geometries in found.items()
    }


def means(scans: list[dict[str, Any]]) -> dict[str, float]:
    return {key: round(float(np.mean([scan[method]["psnr"] for scan in scans])), 2) for key, method in METHODS.items()}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
