"""Bytes named, not copied: ropes of extents and literals. Knows no media and no files."""
