"""Files made of frames and sound that Python code hands over."""
