"""Where frames come from: files, simulations, cameras."""
