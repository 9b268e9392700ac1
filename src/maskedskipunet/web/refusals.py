"""What the page refuses, each with the status of its answer."""

from maskedskipunet.errors import MaskedSkipUNetError


class LoginNeededError(MaskedSkipUNetError):
    """Somebody has to log in first."""

    def __init__(self, what: str = "log in first", where: str = "", cure: str = "") -> None:
        super().__init__(what, where, cure)


class TooManyLoginsError(MaskedSkipUNetError):
    """Too many logins have failed; the next has to wait."""

    def __init__(self, wait_s: int) -> None:
        super().__init__("too many logins failed", "", f"Try again in {wait_s} s")
        self.wait_s = wait_s

    def __reduce__(self) -> tuple[type["TooManyLoginsError"], tuple[int]]:
        return type(self), (self.wait_s,)


class ForbiddenError(MaskedSkipUNetError):
    """Whoever asks may not do this."""

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what, "", cure)

    def __reduce__(self) -> tuple[type["ForbiddenError"], tuple[str, str]]:
        return type(self), (self.what, self.cure)


class NotFoundError(MaskedSkipUNetError):
    """There is no such page."""


class BadRequestError(MaskedSkipUNetError):
    """A request that cannot be understood."""


class BusyError(MaskedSkipUNetError):
    """Too much is asked for at once."""
