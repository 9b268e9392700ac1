"""Mails a reel's sheet through a mail sink of a cameras.yaml."""

from collections.abc import Sequence
from contextlib import ExitStack

from maskedskipunet.errors import ConfigError
from maskedskipunet.notify.building import build_sink
from maskedskipunet.notify.config import SinkConfig
from maskedskipunet.notify.mail import MailSink
from maskedskipunet.notify.sink import RefusedError, RetryLaterError
from maskedskipunet.workflows.reel import Reel, caption_of


def require_mail_sink(sinks: Sequence[SinkConfig], name: str) -> SinkConfig:
    """Return the mail sink of this name. Raises ConfigError where there is none, or it is of another type."""
    found = next((config for config in sinks if config.subscription.sink == name), None)
    if found is None:
        known = ", ".join(config.subscription.sink for config in sinks) or "none"
        raise ConfigError(f"there is no sink {name[:80]!r}", "--mail", f"There are: {known}")
    with ExitStack() as built:
        sink = build_sink(found, None)
        built.callback(sink.close)
        if not isinstance(sink, MailSink):
            raise ConfigError("the sink sends no mail", name, "Name one of `type: mail`")
    return found


def mail_reel(config: SinkConfig, reel: Reel) -> str | None:
    """Send the sheet with a line for each moment; returns why it was not taken, None where it was."""
    sink = build_sink(config, None)
    assert isinstance(sink, MailSink)
    lines = []
    for moment in reel.moments:
        caption = caption_of(moment, len(reel.moments))
        lines.append(
            f"{caption.time}  {caption.source}: {caption.explanation or 'no reason is known'} ({caption.rank})"
        )
    text = "\n".join([f"{reel.title}.", "", *lines, "", f"Film: {reel.film.resolve()}", ""])
    try:
        sink.send_report(f"maskedskipunet: {reel.title[:1].lower()}{reel.title[1:]}", text, reel.sheet)
    except (RetryLaterError, RefusedError) as error:
        return str(error)
    finally:
        sink.close()
    return None
