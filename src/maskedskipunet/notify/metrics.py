"""Serves metrics for Prometheus."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, ClassVar

from maskedskipunet.errors import ConfigError, MaskedSkipUNetError
from maskedskipunet.notify.settings import Settings, SinkContext, port_faults
from maskedskipunet.notify.sink import Attachments, Sink
from maskedskipunet.records import outbox
from maskedskipunet.records.outbox import Delivery, QueueCount
from maskedskipunet.records.subscriptions import StateChoice


class MetricsSink:
    """Counts messages and frames, and serves metrics at http://HOST:PORT/metrics until it is closed.

    queues: returns how many messages wait for each sink.
    Raises ConfigError when prometheus-client is not installed or the address cannot be used.
    """

    def __init__(self, *, host: str, port: int, queues: Callable[[], Mapping[str, QueueCount]]) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server
        except ImportError as error:
            cure = "Install it with pip install 'maskedskipunet[metrics]'"
            raise ConfigError("metrics need prometheus-client", "sinks", cure) from error
        registry = CollectorRegistry()
        registry.register(_Queues(queues))
        self._events = Counter("maskedskipunet_events", "Events reported", ["camera", "phase"], registry=registry)
        self._frames = Counter("maskedskipunet_frames", "Frames scored", ["camera"], registry=registry)
        self._skipped = Counter("maskedskipunet_frames_skipped", "Frames skipped", ["camera"], registry=registry)
        self._score = Gauge("maskedskipunet_score", "Score of the last frame", ["camera"], registry=registry)
        self._delay = Gauge(
            "maskedskipunet_delay_seconds", "Delay from a frame to its score", ["camera"], registry=registry
        )
        self._states = Gauge(
            "maskedskipunet_camera_state", "1 while the camera is in this state", ["camera", "state"], registry=registry
        )
        self._running = Gauge(
            "maskedskipunet_camera_running", "1 while the camera gives frames", ["camera"], registry=registry
        )
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "the port is not valid"
            raise ConfigError(f"the address cannot be used ({reason})", f"{host}:{port}", "Name another") from error

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def send(self, delivery: Delivery, files: Attachments) -> None:
        if delivery.kind == "state":
            labels = str(delivery.message["camera"]), str(delivery.message["state"])
            self._states.labels(*labels).set(delivery.phase != "end")
            return
        if delivery.kind != "event":
            return
        self._events.labels(str(delivery.message["camera"]), delivery.phase).inc()

    def frame_scored(self, camera: str, score: float, delay_s: float) -> None:
        """Count a scored frame."""
        self._frames.labels(camera).inc()
        self._score.labels(camera).set(score)
        self._delay.labels(camera).set(delay_s)

    def frames_skipped(self, camera: str, count: int) -> None:
        self._skipped.labels(camera).inc(count)

    def camera_running(self, camera: str, running: bool) -> None:
        self._running.labels(camera).set(running)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Queues:
    """Collects the numbers of waiting messages at each request."""

    def __init__(self, queues: Callable[[], Mapping[str, QueueCount]]) -> None:
        self.queues = queues

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily("maskedskipunet_deliveries", "Messages by sink", labels=["sink", "status"])
        try:
            for sink, count in self.queues().items():
                for status, number in vars(count).items():
                    family.add_metric([sink, status], number)
        except MaskedSkipUNetError:  # the records cannot be used now; the other metrics remain
            return
        yield family


Gauges = Mapping[str, tuple[str, Mapping[tuple[tuple[str, str], ...], float]]]


def exposition(gauges: Gauges, queues: Mapping[str, QueueCount]) -> bytes:
    """Return figures in Prometheus's text format, as the sink serves its own.

    gauges: by their names, each what it tells and its values by their labels. queues: how many messages wait for each
    sink. Raises ConfigError when prometheus-client is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError as error:
        cure = "Install it with pip install 'maskedskipunet[metrics]'"
        raise ConfigError("metrics need prometheus-client", "metrics", cure) from error
    registry = CollectorRegistry()
    registry.register(_Gauges(gauges))
    registry.register(_Queues(lambda: queues))
    return bytes(generate_latest(registry))


class _Gauges:
    """Values that were read already."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import GaugeMetricFamily

        for name, (description, values) in self._gauges.items():
            labels = [label for label, _ in next(iter(values), ())]
            family = GaugeMetricFamily(f"maskedskipunet_{name}", description, labels=labels)
            for pairs, value in values.items():
                family.add_metric([text for _, text in pairs], value)
            yield family


_PORT = 9464


@dataclass(frozen=True, kw_only=True)
class MetricsSettings(Settings):
    """The address at which metrics are served; loopback by default."""

    states: ClassVar[tuple[StateChoice, ...]] = ("all",)

    host: str = "127.0.0.1"
    port: int | None = None

    def faults(self) -> Iterator[str]:
        yield from port_faults(self.port)
        try:
            ip_address(self.host)
        except ValueError:
            yield "host is not an IP address"

    def build(self, context: SinkContext) -> Sink:
        records = context.records

        def queues() -> dict[str, QueueCount]:
            if records is None:
                return {}
            with records.read() as session:
                return outbox.counts(session)

        return MetricsSink(host=self.host, port=self.port or _PORT, queues=queues)
