"""Files of parallel pairs: read in any form, kept as one memory-mapped table, written."""
