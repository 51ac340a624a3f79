"""The regression gate: one revision against another."""
