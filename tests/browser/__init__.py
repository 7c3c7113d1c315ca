"""A package, so that what its tests share goes before those of others run."""
