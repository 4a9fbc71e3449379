"""lcrs: learned data compression, decoded to the same symbols on every machine."""
