"""Benchmarks: each prints a table and one JSON line, with the peer beside the figure."""
