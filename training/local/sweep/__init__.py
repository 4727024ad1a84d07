"""Many fits, to find the hyperparameters that do best: Optuna proposes, policies end what will not win."""
