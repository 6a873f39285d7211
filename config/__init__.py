"""How this installation is set up: settings, policy files, and the wiring that binds ports to real parts."""
