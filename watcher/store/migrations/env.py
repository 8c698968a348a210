"""What Alembic runs to migrate: on the connection, and so in the transaction, that `migrate` has opened."""

from alembic import context

from watcher.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
