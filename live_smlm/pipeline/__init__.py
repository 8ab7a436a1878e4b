"""Frames walk through engines; knows no microscopy."""
