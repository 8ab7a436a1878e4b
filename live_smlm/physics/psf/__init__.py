"""What one molecule looks like: the PSF models. Each keeps the protocol of `core.psf`."""
