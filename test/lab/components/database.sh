# A PostgreSQL of the lab's own (Debian's binaries): databases for the Hive Metastores and for Iceberg's JDBC catalog.
# It proves: the JDBC catalog in another database, and what a metastore keeps.
# shellcheck shell=bash

database_bin() { echo "/usr/lib/postgresql/$(debian_pg_major)/bin"; }

database_start() {
	local data=$FLOE_RUN/database
	if [ ! -s "$data/PG_VERSION" ]; then
		"$(database_bin)/initdb" -D "$data" -U lab -A scram-sha-256 --pwfile=<(echo labsecret) -E UTF8 --no-locale --no-sync >"$FLOE_RUN/initdb.log" 2>&1
		printf '%s\n' "listen_addresses = '127.0.0.1'" "port = $PORT_DATABASE" "unix_socket_directories = ''" 'fsync = off' 'max_connections = 100' >>"$data/postgresql.conf"
	fi
	spawn database "$(database_bin)/postgres" -D "$data"
}

database_psql() { PGPASSWORD=labsecret psql -qAtX -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$PORT_DATABASE" -U lab "$@"; }

# Ready with its databases.
database_ready() {
	local name
	for name in iceberg metastore3 metastore4; do
		database_psql -d postgres -c "SELECT 1 FROM pg_database WHERE datname = '$name'" | grep -q 1 || database_psql -d postgres -c "CREATE DATABASE $name" || return 1
	done
}

# The driver of Java programs: Spark's JDBC catalog.
pgjdbc_fetch() { maven_copy "$1" "org.postgresql:postgresql:$PGJDBC_VERSION"; }

database_env() { echo "FLOE_DATABASE_URI=postgresql://127.0.0.1:$PORT_DATABASE"; }
