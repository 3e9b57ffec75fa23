"""Discrete-event simulation of Pakistan's co-working rollout."""

__version__ = "0.1.0"
