"""Benchmarks: what the service takes, beside what others take for the same, in the same run."""
