"""What to copy, what to render, and why: clips, cut points, plans, and the run that carries a plan out."""
