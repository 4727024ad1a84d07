"""The whole line against the stand-in: pictures, data, job, best trial, bundle, model, and a device that follows."""

from pathlib import Path

from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.line import Line, asked_without_pause, device_config
from tests.azure.simulation import Trial, finish
from tests.azure.standin import Cloud
from tests.daemon import running
from tests.fakes import COLOURS, encoded, picture
from tests.mosquitto import until

TRIALS = (
    Trial(0, {"model_name": "mobilenetv2", "learning_rate": 0.01}, {"accuracy": 0.81}),
    Trial(1, {"model_name": "mobilenetv2", "learning_rate": 0.02}, {"accuracy": 0.97}),
)


def test_from_a_folder_of_pictures_to_a_device_that_follows(azure: Cloud, tmp_path: Path) -> None:
    """The daemon answers with what was trained; a second version rolls out while requests flow, and none fails."""
    cloud = str(azure.cloud_file(tmp_path))
    where = ["--subscription", SUBSCRIPTION, "--resource-group", RESOURCE_GROUP, "--workspace", WORKSPACE]
    where += ["--credential", "managed-identity", "--cloud", cloud]
    line = Line(tmp_path, where, "colours", "gpucluster")
    line.train("colours-job", finish=lambda job: finish(azure, job, trials=TRIALS))
    known = line.known()
    line.release("colours-job", "1", known=known)
    config = device_config(
        tmp_path,
        "colours",
        {
            "subscription_id": SUBSCRIPTION,
            "resource_group": RESOURCE_GROUP,
            "workspace": WORKSPACE,
            "credential": "managed-identity",
            "cloud": cloud,
        },
    )
    with running(tmp_path / "device", config=config, EDGE_REGISTRY__POLL_S="0.5") as daemon:
        first = daemon.predict(encoded(picture(COLOURS["red"])))
        assert (first["model"]["name"], first["model"]["version"]) == ("colours", "1")
        assert first["predictions"][0]["label"] == "red"
        with asked_without_pause(daemon) as answers:
            line.release("colours-job", "2", known=known)
            until(lambda: answers and answers[-1][1] == "2", within_s=60, what="the second version")
        assert {status for status, _ in answers} == {200}
        assert [version for _, version in answers] == sorted(version for _, version in answers)
        assert daemon.stop() == 0
