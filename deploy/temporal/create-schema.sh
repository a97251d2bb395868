#!/bin/sh
# Creates and upgrades both schemas. Each command leaves alone what is there, so this runs on every start.
# Reads SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD (by temporal-sql-tool) and SCHEMA_DIR.
set -eu
for schema in temporal visibility; do
  database=temporal
  [ "$schema" = temporal ] || database=temporal_visibility
  temporal-sql-tool --db "$database" create
  temporal-sql-tool --db "$database" setup-schema -v 0.0
  temporal-sql-tool --db "$database" update-schema -d "$SCHEMA_DIR/$schema/versioned"
done
