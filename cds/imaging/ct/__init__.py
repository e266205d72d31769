"""A CT: from the files of a series to what a model reads of its slices."""
