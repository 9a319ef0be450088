"""How operators see and act: the `tollgate` command line and Flower."""
