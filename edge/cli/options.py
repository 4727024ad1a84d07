"""Options that several commands share."""

from pathlib import Path

import click

config_option = click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Configuration file (TOML). Without one, defaults and EDGE_ variables.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
registry_option = click.option(
    "--registry",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("models"),
    show_default=True,
    metavar="DIR",
    help="Folder that holds NAME/VERSION/.",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu", "require-gpu"]),
    default="auto",
    show_default=True,
    help="What runs the model.",
)
