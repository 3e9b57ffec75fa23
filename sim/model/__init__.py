"""The simulated world: one replication in, one record out."""
