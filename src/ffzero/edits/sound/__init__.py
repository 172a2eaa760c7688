"""Which packets of sound are coded anew, and how they stand among the copied ones."""
