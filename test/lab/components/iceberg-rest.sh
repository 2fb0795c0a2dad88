# The Iceberg project's own REST catalog server (its test fixture), over SQLite. 150 MB of jars. Its warehouse is local files; a table that is
# made with an s3:// location lives in versitygw, the S3 that checks every signature.
# It proves: the reference behaviour of the REST protocol, ETags, error envelopes, metadata read from local files and from signed S3.
# iceberg-rest-old is the version before, which has no ETags, ignores snapshots=refs and separates levels of namespaces by %1F; local files only.
# They listen on every address (there is no setting).
# shellcheck shell=bash

# iceberg_rest_fetch_version DIR VERSION DEPENDENCY...: the server of that version, with what else is named (GROUP ARTIFACT VERSION).
iceberg_rest_fetch_version() {
	local dir=$1 version=$2 dependency
	shift 2
	# The test-fixtures jar has no dependencies in its POM, so they are named here.
	{
		echo '<project><modelVersion>4.0.0</modelVersion><groupId>floe.lab</groupId><artifactId>iceberg-rest</artifactId><version>1</version>'
		echo '<packaging>pom</packaging><dependencies>'
		maven_dependency org.apache.iceberg iceberg-open-api "$version" test-fixtures
		maven_dependency org.apache.iceberg iceberg-core "$version"
		maven_dependency org.apache.iceberg iceberg-core "$version" tests
		maven_dependency org.apache.hadoop hadoop-client-api 3.3.6
		maven_dependency org.apache.hadoop hadoop-client-runtime 3.3.6
		# shellcheck disable=SC2086
		for dependency; do maven_dependency $dependency; done
		maven_dependency org.xerial sqlite-jdbc 3.50.3.0
		maven_dependency org.slf4j slf4j-simple 2.0.17
		echo '</dependencies></project>'
	} >"$dir/pom.xml"
	maven -f "$dir/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$dir/lib"
}

iceberg_rest_fetch() {
	iceberg_rest_fetch_version "$1" "$ICEBERG_VERSION" "org.eclipse.jetty.ee10 jetty-ee10-servlet 12.1.5" \
		"org.eclipse.jetty.compression jetty-compression-server 12.1.5" "org.eclipse.jetty.compression jetty-compression-gzip 12.1.5" \
		"org.apache.iceberg iceberg-aws $ICEBERG_VERSION" "org.apache.iceberg iceberg-aws-bundle $ICEBERG_VERSION"
}

iceberg_rest_old_fetch() { iceberg_rest_fetch_version "$1" "$ICEBERG_OLD_VERSION" "org.eclipse.jetty jetty-servlet 11.0.26"; }

# iceberg_rest_spawn NAME PORT VARIABLE...
iceberg_rest_spawn() {
	local name=$1 port=$2 data=$FLOE_RUN/$1
	shift 2
	mkdir -p "$data/warehouse"
	CATALOG_REST_PORT=$port CATALOG_URI="jdbc:sqlite:$data/catalog.db" CATALOG_JDBC_SCHEMA__VERSION=V1 \
		CATALOG_WAREHOUSE="file://$data/warehouse" CATALOG_IO__IMPL=org.apache.iceberg.io.ResolvingFileIO \
		CATALOG_S3_ENDPOINT="http://127.0.0.1:$PORT_VERSITYGW" CATALOG_S3_PATH__STYLE__ACCESS=true CATALOG_CLIENT_REGION=us-east-1 \
		CATALOG_S3_ACCESS__KEY__ID="$VERSITYGW_KEY" CATALOG_S3_SECRET__ACCESS__KEY="$VERSITYGW_SECRET" \
		spawn "$name" env "$@" "$(lab_java)/bin/java" -Xmx256m -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="$data" \
		-cp "$(component_dir "$name")/lib/*" org.apache.iceberg.rest.RESTCatalogServer
}

iceberg_rest_start() { iceberg_rest_spawn iceberg-rest "$PORT_ICEBERG_REST"; }
iceberg_rest_ready() { http_ok "http://127.0.0.1:$PORT_ICEBERG_REST/v1/config"; }

# One connection to its database: started over one that is there it leaves a cursor open, which locks out every other connection's commits.
iceberg_rest_old_start() { iceberg_rest_spawn iceberg-rest-old "$PORT_ICEBERG_REST_OLD" CATALOG_CLIENTS=1; }
iceberg_rest_old_ready() { http_ok "http://127.0.0.1:$PORT_ICEBERG_REST_OLD/v1/config"; }

iceberg_rest_env() {
	echo "FLOE_REST_URI=http://127.0.0.1:$PORT_ICEBERG_REST"
	echo "FLOE_REST_WAREHOUSE=$FLOE_RUN/iceberg-rest/warehouse"
}

iceberg_rest_old_env() {
	echo "FLOE_REST_OLD_URI=http://127.0.0.1:$PORT_ICEBERG_REST_OLD"
	echo "FLOE_REST_OLD_WAREHOUSE=$FLOE_RUN/iceberg-rest-old/warehouse"
}
