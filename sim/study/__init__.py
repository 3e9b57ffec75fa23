"""Which replications to run, and running them."""
