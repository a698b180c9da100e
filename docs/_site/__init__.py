"""What makes the site beyond Sphinx: mathematics, docstrings, the gallery of activations."""
