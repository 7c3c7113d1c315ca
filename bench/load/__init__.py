"""The load generators: each is a program of its own, takes one JSON argument and prints one JSON line."""
