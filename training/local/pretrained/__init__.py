"""First weights that others have trained: from a file, or from the Hugging Face hub by name.

Imports nothing: the process that asks the hub begins at once.
"""
