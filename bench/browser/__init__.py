"""A browser that is measured: its pages, what runs in them, and how large that is."""
