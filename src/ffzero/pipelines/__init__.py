"""Stages in a row, and what flows through them: references to media, never the media."""
