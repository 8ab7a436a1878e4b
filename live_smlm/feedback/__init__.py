"""When it is enough, what more time would buy, and how much light there is to be."""
