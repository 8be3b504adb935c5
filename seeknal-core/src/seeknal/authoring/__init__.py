"""What the author of a plugin begins from."""
