"""Which subscriber gets which message."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from paho.mqtt.client import topic_matches_sub

from edge.ports import Incoming


@dataclass(frozen=True, slots=True)
class Subscription:
    """``deliver`` gets the messages that match ``pattern`` below the device's root."""

    pattern: str
    deliver: Callable[[Incoming], None]
    qos: int

    @property
    def wildcards(self) -> int:
        """How many levels are left open."""
        return self.pattern.count("+")

    def matches(self, topic: str) -> bool:
        """Tell whether a topic below the device's root is meant."""
        # below a root: by itself a wildcard matches no first level that begins with $ (MQTT 3.1.1, 4.7.2)
        return topic_matches_sub(f"root/{self.pattern}", f"root/{topic}")


class Routes:
    """All subscriptions of one device. Of several that match a message, the most exact gets it. Thread-safe."""

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()

    def add(self, subscription: Subscription) -> None:
        """Have matching messages given to this one too, from now on."""
        added = (*self._subscriptions, subscription)
        self._subscriptions = tuple(sorted(added, key=lambda one: one.wildcards))

    def filters(self, root: str) -> Iterator[tuple[str, int]]:
        """Yield what to subscribe to at the broker, with its QoS."""
        for subscription in self._subscriptions:
            yield f"{root}/{subscription.pattern}", subscription.qos

    def deliver(self, incoming: Incoming) -> None:
        """Give a message to its subscriber; one that nobody wants is acknowledged."""
        for subscription in self._subscriptions:
            if subscription.matches(incoming.topic):
                subscription.deliver(incoming)
                return
        incoming.acknowledge()
