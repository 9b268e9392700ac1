"""Files of arrays that numpy wrote, and that others may have damaged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskedskipunet.files import require_plain_file


@contextmanager
def array_file(path: Path) -> Iterator[None]:
    """Turn every error of numpy.load in this block into an OSError or a ValueError.

    On damaged headers numpy raises nearly any kind: of the tokenizer, of the unzipper, MemoryError for a size made up.
    """
    try:
        require_plain_file(path)
        yield
    except (OSError, ValueError):
        raise
    except MemoryError as error:
        raise ValueError("it states a size that no memory holds") from error
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error
