"""The whole system on one machine: embedded PostgreSQL, Prefect's server, workers, the web process, a supervisor."""
