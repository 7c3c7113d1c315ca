"""The pure core: no I/O, no clock, no randomness, no async. Time, entropy and ids are arguments."""
