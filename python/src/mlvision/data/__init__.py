"""Image data sets as tensors, from the published files."""
