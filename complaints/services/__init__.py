"""One function per business verb: load, decide by the domain's rules, save. One transaction, opened by the caller."""
