"""What errata costs, measured; `python -m benchmarks` runs everything, the tables stand in README.md here."""
