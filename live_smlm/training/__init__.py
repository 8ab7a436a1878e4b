"""Making networks: lessons, the trainer, the export to bundles and models.

The only home of training code.
"""
