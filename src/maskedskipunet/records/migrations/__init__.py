"""How the database came to be what it is: one step a file in `versions`, run by Alembic when it is opened."""
