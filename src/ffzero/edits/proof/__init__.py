"""What an output is held against, and what of it needs no decoding."""
