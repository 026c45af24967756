"""Steps of conjugate gradients in PFITRE's data step:  python benchmarks/data_step.py

(AᵀA + ρ) x = Aᵀy + ρ z with z a good image (the truth), started from zero, from the last round's x (here Tikhonov's)
and from z; plain and preconditioned. The table gives ‖x − x*‖ / ‖x*‖ in per cent; ρ is in units of the diagonal of AᵀA.
"""

from __future__ import annotations

import torch

from napari_pfitre.operators import ParallelBeam
from napari_pfitre.solvers import conjugate_gradients
from napari_pfitre.twin import SimulateOptions, simulate

STEPS = (1, 2, 4, 8, 16)


def main(size: int = 128) -> None:
    scan, truth = simulate(SimulateOptions(size=size, slices=4, noise=0.01))
    A = ParallelBeam(scan.angles, size, centre=scan.middle)
    b, z = A.adjoint(torch.from_numpy(scan.sinograms(slice(0, 4)))), torch.from_numpy(truth.data)
    print("| ρ | from | preconditioner | " + " | ".join(f"{k}" for k in STEPS) + " |")
    print("|---|---|---|" + "---|" * len(STEPS))
    for share in (0.3, 1.0, 3.0):
        rho = share * A.diagonal()

        def M(x, rho=rho):
            return A.normal(x) + rho * x

        right = b + rho * z
        exact = conjugate_gradients(M, right, x0=z, tolerance=1e-7, iterations=1000).x
        before = conjugate_gradients(M, b, tolerance=1e-5, iterations=500).x
        for start, x0 in (("zero", None), ("last x", before), ("z", z)):
            for name, P in (("none", None), ("Chan", lambda r, rho=rho: A.precondition(r, rho))):
                cells = []
                for steps in STEPS:
                    x = conjugate_gradients(M, right, x0=x0, precondition=P, tolerance=0, iterations=steps).x
                    cells.append(f"{100 * float((x - exact).norm() / exact.norm()):.2f}")
                print(f"| {share:g} | {start} | {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
