"""Losses, schedule and the loop that make weights from a dataset."""
