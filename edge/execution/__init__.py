"""Pictures through the present model: lanes on a CPU, a pipeline with batches on a GPU, delivery to each request."""
