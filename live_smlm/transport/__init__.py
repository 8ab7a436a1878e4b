"""How frames and molecules travel between threads, processes and machines."""
