"""Run by Alembic with the connection that is being opened, inside its transaction; nothing else imports it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
