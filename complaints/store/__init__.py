"""Tables, queries, the unit of work (the only commit) and the engine. Stands on the domain, knows no service."""
