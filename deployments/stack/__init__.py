"""The whole system in one process tree: embedded PostgreSQL, Prefect server, workers, web, and who watches them."""
