"""How FINUFFT is best asked: oversampling of its grid and images at a time, for the lines of a 512², 121-angle scan.

    python benchmarks/nufft.py

Prints milliseconds a slice (two real slices travel as one complex image) of both transforms, and the relative error of
the projection against the finest setting.
"""

from __future__ import annotations

import finufft
import numpy as np

from napari_pfitre.benchmark import best_times

N, ANGLES, LINE, IMAGES = 512, np.deg2rad(np.linspace(-60, 60, 121)), 640, 8


def main() -> None:
    nu = np.fft.fftfreq(LINE)
    omega = [(2 * np.pi * np.outer(f(ANGLES), nu)).ravel().astype(np.float32) for f in (np.sin, np.cos)]
    rng = np.random.default_rng(0)
    c = (rng.normal(size=(IMAGES, N, N)) + 1j * rng.normal(size=(IMAGES, N, N))).astype(np.complex64)
    f = (rng.normal(size=(IMAGES, nu.size * ANGLES.size)) + 0j).astype(np.complex64)
    exact = finufft.nufft2d2(*(w.astype(float) for w in omega), c[0].astype(complex), eps=1e-9, isign=-1)
    print(f"{'tolerance':>9} {'grid':>5} {'at once':>8} {'type 2 ms':>10} {'type 1 ms':>10} {'error':>9}")
    for tolerance in (1e-3, 1e-4):
        for grid in (2.0, 1.25):
            for at_once in (1, 2, 4, 8):
                plans = {}
                for kind, sign in ((2, -1), (1, 1)):
                    settings = {"eps": tolerance, "isign": sign, "nthreads": 2, "upsampfac": grid}
                    plans[kind] = finufft.Plan(kind, (N, N), n_trans=at_once, dtype="complex64", **settings)
                    plans[kind].setpts(*omega)
                blocks = [slice(i, i + at_once) if at_once > 1 else i for i in range(0, IMAGES, at_once)]
                times = best_times(
                    {
                        "2": lambda plans=plans, blocks=blocks: [plans[2].execute(c[b]) for b in blocks],
                        "1": lambda plans=plans, blocks=blocks: [plans[1].execute(f[b]) for b in blocks],
                    },
                    rounds=3,
                )
                got = np.atleast_2d(plans[2].execute(c[blocks[0]]))[0]
                error = np.linalg.norm(got - exact) / np.linalg.norm(exact)
                ms = [times[k] / (2 * IMAGES) * 1e3 for k in "21"]
                print(f"{tolerance:9.0e} {grid:5.2f} {at_once:8d} {ms[0]:10.2f} {ms[1]:10.2f} {error:9.1e}")


if __name__ == "__main__":
    main()
