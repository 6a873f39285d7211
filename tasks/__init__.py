"""Prefect tasks: about ten lines each. Retries and a time limit here, one service call, nothing else."""
