"""What the daemon says when it is up: what runs, and where to look."""

import shlex

from edge.config.network import HttpSection
from edge.config.values import host_name
from edge.console import banner
from edge.daemon.composition import Daemon


def welcome(daemon: Daemon) -> str:
    """Return the lines that a person reads first."""
    status = daemon.control.status()
    model = status["model"]
    runs = f"{model['name']}:{model['version']}" if model else "no model yet"
    if model and not model["proven"]:
        runs += " (unproven)"
    title = f"automl-edge {status['version']} on {status['device']}: {runs}"
    if status["provider"]:
        title += f", {status['provider']}, {status['execution']['shape']}"
    notes = "".join(f"\n  ! {note}" for note in (*status["problems"], *status["warnings"]))
    return banner(title, _places(daemon)) + notes


def _places(daemon: Daemon) -> list[tuple[str, str]]:
    places = []
    if daemon.server is not None:
        url = _reachable(daemon.server.url)
        places.append(("page", url))
        places.append(("docs", f"{url}docs"))
        places.append(("predict", f"curl {_options(daemon.http)}--data-binary @picture.jpg {url}v1/predict"))
    if daemon.messaging is not None:
        at, topics = daemon.messaging, daemon.messaging.topics
        places.append(("results", f"mosquitto_sub -h {at.host} -p {at.port} -t '{topics.root}/+/result'"))
        places.append(("pictures", f"mosquitto_pub -h {at.host} -p {at.port} -t {topics.root}/me/image -f picture.jpg"))
    return places


def _reachable(url: str) -> str:
    """Return a URL that a certificate can be for: no address to bind everywhere is in one."""
    for anywhere in ("https://0.0.0.0:", "https://[::]:"):
        url = url.replace(anywhere, f"https://{host_name()}:")
    return url


def _options(http: HttpSection) -> str:
    """Return what curl must be told to be let in; the token itself is never shown."""
    trust = f"--cacert {shlex.quote(str(http.cert_file))} " if http.cert_file else ""
    return trust + ('-H "Authorization: Bearer $TOKEN" ' if http.asks_for_token else "")
