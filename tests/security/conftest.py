"""Profiles of the property tests: `pytest tests/security --hypothesis-profile long` tries 3,000 inputs of each."""

from hypothesis import settings

settings.register_profile("long", max_examples=3_000, deadline=None, print_blob=True)
