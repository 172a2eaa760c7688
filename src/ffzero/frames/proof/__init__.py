"""Outputs decoded and held against their plan."""
