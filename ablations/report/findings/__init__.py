"""The study's question answered in words: a rule a file."""
