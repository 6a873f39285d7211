"""The web process: REST API, health and metrics; the screens of agents and complainants join it."""
