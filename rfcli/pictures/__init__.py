"""Pictures of scenes: found, rendered, laid out and written."""
