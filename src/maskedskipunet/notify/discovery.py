"""What makes a camera known to Home Assistant: a topic and a description for each of its sensors.

Source: https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery, at
`PREFIX/COMPONENT/NODE/OBJECT/config`, where node and object are of letters, digits, `_` and `-` alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from maskedskipunet.notify.names import plain_name

ONLINE, OFFLINE, ON, OFF = "online", "offline", "ON", "OFF"


@dataclass(frozen=True)
class Topics:
    """The MQTT topics of a watch. root: the beginning of all topics. watch_id: names this watch among those
    of a root.
    """

    root: str
    watch_id: str = ""

    @property
    def shared_availability(self) -> str:
        """Whether any watch is there."""
        return f"{self.root}/availability"

    @property
    def availability(self) -> str:
        """Whether this watch is there."""
        return f"{self.root}/{self.watch_id}/availability" if self.watch_id else self.shared_availability

    @property
    def test(self) -> str:
        return f"{self.root}/test"

    def event(self, camera: str) -> str:
        return f"{self.root}/{plain_name(camera)}/event"

    def state(self, camera: str) -> str:
        return f"{self.root}/{plain_name(camera)}/state"

    def health(self, camera: str) -> str:
        """Return what is wrong with the camera now."""
        return f"{self.root}/{plain_name(camera)}/health"

    def health_event(self, camera: str) -> str:
        """Return what begins or ends to be wrong with it."""
        return f"{self.root}/{plain_name(camera)}/health/event"


@dataclass(frozen=True)
class Discovery:
    """The sensors of cameras as Home Assistant finds them. prefix: of its discovery. health: whether it is told."""

    prefix: str
    topics: Topics
    health: bool

    @property
    def filters(self) -> list[str]:
        """The topics at which descriptions of cameras under the same root lie."""
        return [f"{self.prefix}/binary_sensor/{node}/+/config" for node in (self._node, f"{self._node}-health")]

    def of(self, cameras: Sequence[str]) -> dict[str, str]:
        """Topics and descriptions, all to be retained."""
        found = {}
        for camera in cameras:
            found[self._topic(self._node, camera)] = json.dumps(self._anomaly(camera))
            if self.health:
                found[self._topic(f"{self._node}-health", camera)] = json.dumps(self._health(camera))
        return found

    def owner_of(self, description: bytes) -> str:
        """Return the availability that a description names, which is its watch's; empty where it names none."""
        try:
            told = json.loads(description)
        except ValueError:
            return ""
        return str(told.get("availability_topic", "")) if isinstance(told, dict) else ""

    @property
    def _node(self) -> str:
        return plain_name(self.topics.root)

    def _topic(self, node: str, camera: str) -> str:
        return f"{self.prefix}/binary_sensor/{node}/{plain_name(camera)}/config"

    def _anomaly(self, camera: str) -> dict[str, object]:
        return self._common(camera) | {
            "name": "Anomaly",
            "unique_id": f"{self.topics.root}_{plain_name(camera)}_anomaly",
            "device_class": "problem",
            "state_topic": self.topics.state(camera),
            "payload_on": ON,
            "payload_off": OFF,
            "json_attributes_topic": self.topics.event(camera),
        }

    def _health(self, camera: str) -> dict[str, object]:
        return self._common(camera) | {
            "name": "Camera",
            "unique_id": f"{self.topics.root}_{plain_name(camera)}_health",
            "device_class": "problem",
            "entity_category": "diagnostic",
            "state_topic": self.topics.health(camera),
            "value_template": "{{ 'ON' if value_json.states else 'OFF' }}",
            "json_attributes_topic": self.topics.health(camera),
        }

    def _common(self, camera: str) -> dict[str, object]:
        identifier = f"{self.topics.root}_{plain_name(camera)}"
        return {
            "availability_topic": self.topics.availability,
            "device": {"identifiers": [identifier], "name": camera, "manufacturer": "maskedskipunet"},
            "origin": {"name": "maskedskipunet"},
        }
