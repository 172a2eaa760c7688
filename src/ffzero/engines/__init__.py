"""Where chunks of work run, and the journal of those that are finished."""
