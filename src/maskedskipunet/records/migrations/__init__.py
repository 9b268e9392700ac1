"""Migrations of the database: one step for each file in `versions`, run by Alembic when it is opened."""
