"""Prepare, train, evaluate, register if better: one Azure ML pipeline, whose steps run this same code in the cloud."""
