"""A clip taken apart: without ranges, at times, by size, at chapters and scenes."""
