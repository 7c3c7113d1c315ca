"""What a server does so that sets of events become one again: it compares, takes gifts, and gives snapshots."""
