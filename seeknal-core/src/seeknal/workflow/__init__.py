"""When and how a pipeline runs."""
