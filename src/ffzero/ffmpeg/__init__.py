"""The FFmpeg program: finding it, what it can do, commands for it, running them, and memory to hand it."""

__all__: list[str] = []
