"""How a pipeline is written: from the files of a project to its manifest."""
