"""Engines that are always there, and how engines are found and chained."""
