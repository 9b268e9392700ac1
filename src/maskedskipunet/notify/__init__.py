"""Who is told of events: one module a kind of receiver, and the courier that delivers what waits for each."""
