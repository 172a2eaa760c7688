"""What ffzero costs, beside ``ffmpeg -c copy`` on the same machine in the same run: ``python -m benchmarks``.

Linux and macOS; the shared-blocks part needs Linux, root and ``mkfs.xfs``. Inputs are made, used and removed again.
"""
