"""Pictures: samples decoded to frames, frames coded to samples like the source's. Through PyAV; numpy sees the planes.

``render`` runs the render jobs of a plan; nothing here is imported, nor PyAV loaded, before the first of them.
"""
