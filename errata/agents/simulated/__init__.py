"""The simulated faculty and its classroom: word problems with known steps, and teachers that err in known ways."""
