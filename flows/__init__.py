"""Prefect flows: order and waiting. What is done, the tasks know; what is true, the complaint's row knows."""
