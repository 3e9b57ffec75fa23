"""Run folders: written whole, read back, never overwritten."""
