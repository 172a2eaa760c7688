"""The promised import path of the memory-mapping engine; everything is ``ffzero.ffmpeg``'s."""

from ffzero.errors import MemoryLimitError
from ffzero.ffmpeg.mapping import MappingStats, MemoryMapEngine
from ffzero.ffmpeg.memory import FFmpegMemHandler, MemoryFile, MemoryStats

__all__ = ["FFmpegMemHandler", "MappingStats", "MemoryFile", "MemoryLimitError", "MemoryMapEngine", "MemoryStats"]
