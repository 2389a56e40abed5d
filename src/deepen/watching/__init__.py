"""After the launch: whether rows that come are as the run's held-out rows were, and whether that does harm."""
