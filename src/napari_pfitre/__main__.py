"""`python -m napari_pfitre`: the command line."""

from .cli import main

main()
