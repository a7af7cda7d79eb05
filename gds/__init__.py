"""gds: a Generic Data Service runner for Linux."""

__version__ = "0.1.0"
