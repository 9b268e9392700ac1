"""The kinds of sinks, and the configuration of one sink."""

from dataclasses import dataclass

from maskedskipunet.notify.clip_folder import ClipFolderSettings
from maskedskipunet.notify.lines import LineSettings
from maskedskipunet.notify.mail import MailSettings
from maskedskipunet.notify.metrics import MetricsSettings
from maskedskipunet.notify.mqtt import MqttSettings
from maskedskipunet.notify.settings import Settings
from maskedskipunet.notify.webhook import WebhookSettings
from maskedskipunet.records.subscriptions import Subscription

# The type that a configuration names, and its settings. A new kind of sink is a file and a line here.
SETTINGS: dict[str, type[Settings]] = {
    "lines": LineSettings,
    "folder": ClipFolderSettings,
    "webhook": WebhookSettings,
    "mqtt": MqttSettings,
    "mail": MailSettings,
    "metrics": MetricsSettings,
}


@dataclass(frozen=True)
class SinkConfig:
    """One sink: its subscription, which holds its name, and the settings of its kind."""

    subscription: Subscription
    settings: Settings
