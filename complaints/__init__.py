"""Complaint handling as a durable workflow: the product, without Prefect, web framework, settings or wall clock."""
