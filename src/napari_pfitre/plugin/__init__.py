"""Everything napari sees: readers, writers, samples and three widgets. Nothing below this folder imports it."""
