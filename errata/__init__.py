"""errata turns large models' reasoning, right and wrong, into small models that reason."""

__version__ = "0.1.0"
