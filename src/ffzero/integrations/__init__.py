"""Frames and clips in other libraries' hands, without a copy where they allow it.

Each module needs the library that it is named after, which ffzero does not install; ``scenes`` needs
``ffzero[scenes]``.
"""
