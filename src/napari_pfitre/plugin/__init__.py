"""Everything napari sees: readers, writers, samples and four widgets. Nothing below this folder imports it."""
