"""Search for good parameters: spaces, algorithms, the book of trials. It knows no Ray: see ``entry/tune_engine``."""
