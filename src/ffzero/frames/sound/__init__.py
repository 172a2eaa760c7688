"""Sound decoded and coded anew, packet by packet."""
