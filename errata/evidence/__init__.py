"""What is known of a rationale's correctness without a gold answer."""
