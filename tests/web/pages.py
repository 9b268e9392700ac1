"""The addresses of all pages that the tests look at: each kind of page once, of the records that `filled` makes."""

PAGES = (
    "/live",
    "/review",
    "/events/a",
    "/events/e",
    "/kinds",
    "/learning",
    "/runs",
    "/timeline",
    "/calibration",
    "/login",
    "/nothing",
)
