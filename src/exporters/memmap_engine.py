"""The promised import path of the memory-mapping engine; everything is ``ffzero.ffmpeg``'s."""

from ffzero.ffmpeg.mapping import MemoryMapEngine
from ffzero.ffmpeg.memory import FFmpegMemHandler, MemoryFile

__all__ = ["FFmpegMemHandler", "MemoryFile", "MemoryMapEngine"]
