"""The processor of a crash-reporting system: crash ids in, processed crashes out, none lost."""

__version__ = "0.1.0"
