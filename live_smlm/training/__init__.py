"""Making networks: data from the simulator, losses, the trainer, the export to a bundle.

The only home of training code.
"""
