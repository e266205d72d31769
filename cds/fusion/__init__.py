"""Image and note made into one calibrated probability per finding."""
