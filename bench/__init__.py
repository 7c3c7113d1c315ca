"""Syncline measured beside its peers, in one run and on one machine. `python -m bench --help` says how."""
