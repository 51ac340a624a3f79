"""Keras Tuner as a front end over the same trials and the same store."""
