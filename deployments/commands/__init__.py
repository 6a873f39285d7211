"""The commands of `complaints`, one module per theme."""
