"""Describes cameras to Home Assistant: a topic and a description for each sensor.

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
    """The MQTT topics of a watch. root: the beginning of all topics. watch_id: identifies this watch among several."""

    root: str
    watch_id: str = ""

    @property
    def shared_availability(self) -> str:
        """The topic that says whether any watch is online."""
        return f"{self.root}/availability"

    @property
    def availability(self) -> str:
        """The topic that says whether this watch is online."""
        return f"{self.root}/{self.watch_id}/availability" if self.watch_id else self.shared_availability

    @property
    def test(self) -> str:
        return f"{self.root}/test"

    def event(self, camera: str) -> str:
        return f"{self.root}/{plain_name(camera)}/event"

    def state(self, camera: str) -> str:
        return f"{self.root}/{plain_name(camera)}/state"

    def health(self, camera: str) -> str:
        """Return the topic of the camera's current faults."""
        return f"{self.root}/{plain_name(camera)}/health"

    def health_event(self, camera: str) -> str:
        """Return the topic of faults that begin and end."""
        return f"{self.root}/{plain_name(camera)}/health/event"


@dataclass(frozen=True)
class Discovery:
    """The sensors of cameras for Home Assistant. prefix: of its discovery topics. health: with a sensor of faults."""

    prefix: str
    topics: Topics
    health: bool

    @property
    def filters(self) -> list[str]:
        """The topic filters that match descriptions of all cameras under the same root."""
        return [f"{self.prefix}/binary_sensor/{node}/+/config" for node in (self._node, f"{self._node}-health")]

    def of(self, cameras: Sequence[str]) -> dict[str, str]:
        """Return the descriptions to retain, by topic."""
        found = {}
        for camera in cameras:
            found[self._topic(self._node, camera)] = json.dumps(self._anomaly(camera))
            if self.health:
                found[self._topic(f"{self._node}-health", camera)] = json.dumps(self._health(camera))
        return found

    def owner_of(self, description: bytes) -> str:
        """Return the availability topic in a description, which identifies its watch; empty if there is none."""
        try:
            values = json.loads(description)
        except ValueError:
            return ""
        return str(values.get("availability_topic", "")) if isinstance(values, dict) else ""

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
