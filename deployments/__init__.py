"""How every process starts: the stack and its supervisor, the warm worker, the deployments, the command line."""
