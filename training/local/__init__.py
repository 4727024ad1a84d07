"""The local trainer. The only room that imports torch, and only when a fit really starts."""
