"""The browser view: one page that watches a run, in a process of its own.

The page asks, the server answers: whoever is slow asks seldom, and costs
nobody anything. Nothing is sent that was not asked for.
"""
