"""``python -m edge.azureml``: the process that the daemon starts to ask Azure."""

from edge.azureml.asking import main

if __name__ == "__main__":
    main()
