"""What a pipeline is: its nodes, how they depend on each other, and what a change can reach."""
