"""What the proofs share: made media, decoding oracles that know nothing of ffzero, and players."""
