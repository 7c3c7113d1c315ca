"""Peers that are libraries: each runs in a process of its own, in the peers' environment."""
