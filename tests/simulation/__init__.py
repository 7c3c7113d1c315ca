"""A deterministic simulation: replicas, one server and a bad network, all decided by one seed."""
