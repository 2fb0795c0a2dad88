# The Hive Metastore, 3.1.3 and 4.0.1 (Maven, 27 and 79 MB, and 57 MB of Hadoop client), over the lab's PostgreSQL. Binary Thrift on a plain socket.
# It proves: the calls that both versions have, bulk lookups, tables that are not Iceberg's.
# 3.1.3 has the change feed (NOTIFICATION_LOG); for 4.0.1 the listener's jar is not to be had.
# shellcheck shell=bash

# hive_get DIR ARTIFACT VERSION
hive_get() {
	local dir=$1 artifact=$2 version=$3
	maven_artifact "$dir" "org.apache.hive:$artifact:$version:tar.gz:bin"
	tar xzf "$dir/$artifact-$version-bin.tar.gz" -C "$dir" --strip-components=1 --no-same-owner
	rm "$dir/$artifact-$version-bin.tar.gz"
	# What the archives leave out: a Hadoop client, with its jars before the metastore's (newer guava), the driver, and for one class that Hive 4
	# loads, hadoop-hdfs. Hadoop's own logging would silence the server's.
	{
		echo '<project><modelVersion>4.0.0</modelVersion><groupId>floe.lab</groupId><artifactId>hive</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
		echo '<dependency><groupId>org.apache.hadoop</groupId><artifactId>hadoop-client</artifactId><version>3.3.6</version><exclusions>'
		echo '<exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId></exclusion><exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-log4j12</artifactId></exclusion>'
		echo '<exclusion><groupId>ch.qos.reload4j</groupId><artifactId>reload4j</artifactId></exclusion><exclusion><groupId>log4j</groupId><artifactId>log4j</artifactId></exclusion>'
		echo '</exclusions></dependency><dependency><groupId>org.apache.hadoop</groupId><artifactId>hadoop-hdfs</artifactId><version>3.3.6</version>'
		echo '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>'
		maven_dependency org.postgresql postgresql "$PGJDBC_VERSION"
		echo '</dependencies></project>'
	} >"$dir/pom.xml"
	maven -f "$dir/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$dir/hadoop"
}

hive3_fetch() {
	hive_get "$1" hive-standalone-metastore "$HIVE3_VERSION"
	maven_artifact "$1/lib" "org.apache.hive.hcatalog:hive-hcatalog-server-extensions:$HIVE3_VERSION"
}
hive4_fetch() { hive_get "$1" hive-standalone-metastore-server "$HIVE4_VERSION"; }

# hive_spawn NAME PORT DATABASE SCHEMA PROPERTY...
hive_spawn() {
	local name=$1 port=$2 database=$3 schema=$4 dir conf=$FLOE_RUN/$1 property
	dir=$(component_dir "$name")
	shift 4
	mkdir -p "$conf/warehouse"
	# it keeps everything there; database_start was called before, if need be
	await database database_ready
	if [ -z "$(database_psql -d "$database" -c "SELECT to_regclass('\"VERSION\"')")" ]; then
		(cd "$dir/scripts/metastore/upgrade/postgres" && database_psql -d "$database" -f "hive-schema-$schema.postgres.sql") >"$FLOE_RUN/$name-schema.log" 2>&1
	fi
	{
		echo '<configuration>'
		for property in "javax.jdo.option.ConnectionURL=jdbc:postgresql://127.0.0.1:$PORT_DATABASE/$database" \
			javax.jdo.option.ConnectionDriverName=org.postgresql.Driver javax.jdo.option.ConnectionUserName=lab javax.jdo.option.ConnectionPassword=labsecret \
			"metastore.thrift.uris=thrift://127.0.0.1:$port" metastore.thrift.bind.host=127.0.0.1 "metastore.thrift.port=$port" \
			"metastore.warehouse.dir=file://$conf/warehouse" metastore.server.min.threads=4 hive.metastore.event.db.notification.api.auth=false \
			metastore.task.threads.always=org.apache.hadoop.hive.metastore.events.EventCleanerTask \
			metastore.expression.proxy=org.apache.hadoop.hive.metastore.DefaultPartitionExpressionProxy "$@"; do
			printf '<property><name>%s</name><value>%s</value></property>\n' "${property%%=*}" "${property#*=}"
		done
		echo '</configuration>'
	} >"$conf/metastore-site.xml"
	spawn "$name" "$(lab_java)/bin/java" -Xmx512m -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="$conf" --add-opens java.base/java.lang=ALL-UNNAMED \
		--add-opens java.base/java.net=ALL-UNNAMED --add-opens java.base/java.util=ALL-UNNAMED -cp "$conf:$dir/hadoop/*:$dir/lib/*" \
		org.apache.hadoop.hive.metastore.HiveMetaStore -p "$port"
}

hive3_start() {
	hive_spawn hive3 "$PORT_HIVE3" metastore3 3.1.0 metastore.transactional.event.listeners=org.apache.hive.hcatalog.listener.DbNotificationListener
}
hive3_ready() { ! port_free "$PORT_HIVE3"; }
hive4_start() { hive_spawn hive4 "$PORT_HIVE4" metastore4 4.0.0; }
hive4_ready() { ! port_free "$PORT_HIVE4"; }

hive3_env() { echo "FLOE_HIVE3_URI=thrift://127.0.0.1:$PORT_HIVE3"; }
hive4_env() { echo "FLOE_HIVE4_URI=thrift://127.0.0.1:$PORT_HIVE4"; }
