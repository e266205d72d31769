"""What is computed for a prescreen, and the engine process of a machine, which computes it."""
