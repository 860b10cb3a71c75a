"""Is this answer right, and by which rule."""
