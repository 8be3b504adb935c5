"""What happened: runs, the states of their nodes, and environments."""
