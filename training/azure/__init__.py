"""Azure AutoML for Images from end to end: data, jobs, bundles, models, endpoints, pipelines."""
