"""Frames and sound of movies and clips as numpy, for Python code."""
