# The Iceberg project's own REST catalog server (its test fixture), over SQLite. 150 MB of jars. Its warehouse is local files; a table that is
# made with an s3:// location lives in versitygw, the S3 that checks every signature.
# It proves: the reference behaviour of the REST protocol, ETags, error envelopes, metadata read from local files and from signed S3.
# It listens on every address (there is no setting).
# shellcheck shell=bash

iceberg_rest_fetch() {
	local dir=$1
	# The test-fixtures jar has no dependencies in its POM, so they are named here.
	{
		echo '<project><modelVersion>4.0.0</modelVersion><groupId>floe.lab</groupId><artifactId>iceberg-rest</artifactId><version>1</version>'
		echo '<packaging>pom</packaging><dependencies>'
		maven_dependency org.apache.iceberg iceberg-open-api "$ICEBERG_VERSION" test-fixtures
		maven_dependency org.apache.iceberg iceberg-core "$ICEBERG_VERSION"
		maven_dependency org.apache.iceberg iceberg-core "$ICEBERG_VERSION" tests
		maven_dependency org.apache.hadoop hadoop-client-api 3.3.6
		maven_dependency org.apache.hadoop hadoop-client-runtime 3.3.6
		maven_dependency org.eclipse.jetty.ee10 jetty-ee10-servlet 12.1.5
		maven_dependency org.eclipse.jetty.compression jetty-compression-server 12.1.5
		maven_dependency org.eclipse.jetty.compression jetty-compression-gzip 12.1.5
		maven_dependency org.apache.iceberg iceberg-aws "$ICEBERG_VERSION"
		maven_dependency org.apache.iceberg iceberg-aws-bundle "$ICEBERG_VERSION"
		maven_dependency org.xerial sqlite-jdbc 3.50.3.0
		maven_dependency org.slf4j slf4j-simple 2.0.17
		echo '</dependencies></project>'
	} >"$dir/pom.xml"
	maven -f "$dir/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory="$dir/lib"
}

iceberg_rest_start() {
	local data=$FLOE_RUN/iceberg-rest
	mkdir -p "$data/warehouse"
	CATALOG_REST_PORT=$PORT_ICEBERG_REST CATALOG_URI="jdbc:sqlite:$data/catalog.db" CATALOG_JDBC_SCHEMA__VERSION=V1 \
		CATALOG_WAREHOUSE="file://$data/warehouse" CATALOG_IO__IMPL=org.apache.iceberg.io.ResolvingFileIO \
		CATALOG_S3_ENDPOINT="http://127.0.0.1:$PORT_VERSITYGW" CATALOG_S3_PATH__STYLE__ACCESS=true CATALOG_CLIENT_REGION=us-east-1 \
		CATALOG_S3_ACCESS__KEY__ID="$VERSITYGW_KEY" CATALOG_S3_SECRET__ACCESS__KEY="$VERSITYGW_SECRET" \
		spawn iceberg-rest "$(lab_java)/bin/java" -Xmx256m -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="$data" \
		-cp "$(component_dir iceberg-rest)/lib/*" org.apache.iceberg.rest.RESTCatalogServer
}

iceberg_rest_ready() { http_ok "http://127.0.0.1:$PORT_ICEBERG_REST/v1/config"; }

iceberg_rest_env() {
	echo "FLOE_REST_URI=http://127.0.0.1:$PORT_ICEBERG_REST"
	echo "FLOE_REST_WAREHOUSE=$FLOE_RUN/iceberg-rest/warehouse"
}
