"""The promised import path of the streaming pipeline; everything is ``ffzero.pipelines``'s."""

from ffzero.pipelines.array_processors import AudioProcessor, VideoProcessor
from ffzero.pipelines.pipeline import ProcessingMode, StreamingPipeline, ZeroCopyPipeline
from ffzero.pipelines.processors import (
    CompositeProcessor,
    FilterProcessor,
    FunctionProcessor,
    Outcome,
    Processor,
    TransformProcessor,
)
from ffzero.pipelines.stages import ErrorPolicy

__all__ = [
    "AudioProcessor",
    "CompositeProcessor",
    "ErrorPolicy",
    "FilterProcessor",
    "FunctionProcessor",
    "Outcome",
    "ProcessingMode",
    "Processor",
    "StreamingPipeline",
    "TransformProcessor",
    "VideoProcessor",
    "ZeroCopyPipeline",
]
