"""Trading days for Seeknal."""
