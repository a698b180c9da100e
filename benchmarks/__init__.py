"""How fast and how lean jaxact is, beside the libraries one would use instead.

Run from a checkout: `python -m benchmarks` says how. Not part of the installed package.
"""
