"""What is wrong with a broker, said for a person: the thing and the remedy. Pure text."""

import socket
import ssl

from edge.publishers.mqtt_settings import MqttSettings

OUT_OF_DATE = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_REMEDIES = {
    "Bad user name or password": "check mqtt.username and mqtt.password",
    "Not authorized": "check mqtt.username, mqtt.password and the broker's access rules",
    "Unsupported protocol version": "set mqtt.protocol to what the broker speaks (3.1.1 or 5)",
    "Client identifier not valid": "set mqtt.device to a name that the broker takes",
}


def why_unreachable(settings: MqttSettings, exc: OSError | UnicodeError) -> str:
    """Return why no connection came about; a host name that is no name fails in the idna codec with a UnicodeError."""
    broker = f"MQTT broker {settings.address}"
    match exc:
        case ssl.SSLCertVerificationError(verify_code=code) if code in OUT_OF_DATE:
            text = (
                f"TLS with {broker} failed: {exc.verify_message}; renew the broker's certificate, or set the clock here"
            )
        case ssl.SSLCertVerificationError():
            text = f"TLS with {broker} failed: {exc.verify_message}; check mqtt.ca_file and the name in mqtt.host"
        case ssl.SSLError():
            fault = exc.reason or exc
            text = f"TLS with {broker} failed: {fault}; check mqtt.port, mqtt.ca_file, mqtt.cert_file, mqtt.key_file"
        case ConnectionRefusedError():
            text = f"{broker} refuses connections; is it running? mqtt.host and mqtt.port say where it is"
        case socket.gaierror() | UnicodeError():
            text = f"{broker}: the host name is not known; check mqtt.host and this device's name server"
        case TimeoutError():
            text = f"{broker} does not answer; check mqtt.host, mqtt.port and the network between"
        case ConnectionError():
            text = f"{broker} drops the connection at once; does it want TLS or not? check mqtt.port and mqtt.tls"
        case _:
            text = f"{broker} cannot be reached: {exc.strerror or exc}; check mqtt.host, mqtt.port and the network"
    return text


def why_refused(settings: MqttSettings, reason: str) -> str:
    """Return why the broker refuses the device. ``reason`` is a reason code's name."""
    remedy = _REMEDIES.get(reason, "see the broker's log")
    return f"MQTT broker {settings.address} refuses this device: {reason}; {remedy}"


def why_forbidden(settings: MqttSettings, what: str, reason: str) -> str:
    """Return what the broker refuses although it took the connection."""
    where = f"{settings.topics.root}/#"
    return f"MQTT broker {settings.address} refuses {what} on {where}: {reason}; see the broker's access rules"


def why_lost(settings: MqttSettings, reason: str, *, alert: str | None = None, accepted: bool = True) -> str:
    """Return why a connection ended.

    ``reason`` is a reason code's name, ``alert`` what TLS said, ``accepted`` whether the broker had taken the device.
    """
    broker = f"MQTT broker {settings.address}"
    if settings.tls is not None and not accepted:
        return f"TLS with {broker} failed: {_why_unwanted(settings, alert or '')}"
    client_id = settings.own_client_id
    texts = {
        "Session taken over": f"{broker}: client id {client_id} is in use twice; give each device its own mqtt.device",
        "Keep alive timeout": f"{broker} no longer answers; trying again",
        "Protocol error": f"{broker} speaks another protocol; check mqtt.protocol ({settings.protocol}) and mqtt.port",
        "Unspecified error": f"the connection to {broker} is lost; trying again (often? is {client_id} in use twice?)",
    }
    return texts.get(reason, f"the connection to {broker} is lost ({reason}); trying again")


def _why_unwanted(settings: MqttSettings, alert: str) -> str:
    """Return what a broker has against this device's certificate, as far as it tells."""
    own = settings.tls.cert_file if settings.tls else None
    if own is None:
        return "it seems to want a client certificate; set mqtt.cert_file and mqtt.key_file to this device's own"
    if "EXPIRED" in alert:
        return f"this device's certificate has expired; renew mqtt.cert_file {own}"
    if "UNKNOWN_CA" in alert:
        return f"the broker does not know who signed mqtt.cert_file {own}; have one of its authorities sign it"
    said = f" ({alert})" if alert else ""
    return f"the broker refuses this device's certificate{said}; check mqtt.cert_file {own}, and the broker's log"


def why_silent(settings: MqttSettings) -> str:
    """Return what it means that a broker takes a connection and says nothing."""
    asked = f"is it hung, or does it not speak MQTT {settings.protocol} (mqtt.protocol)?"
    return f"MQTT broker {settings.address} takes the connection but does not answer; {asked}"


def why_stuck(settings: MqttSettings) -> str:
    """Return what it means that a broker acknowledges nothing of what it was sent."""
    waited = f"has acknowledged nothing for {settings.acknowledge_timeout_s:g} s"
    return f"MQTT broker {settings.address} {waited}; trying again; is it hung or overloaded?"
