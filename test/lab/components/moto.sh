# moto: Amazon's STS, IAM and S3 in one process (PyPI, 140 MB on disk). A test starts one for itself (test/e2e/test_session_tokens.py).
# As it comes it takes every key and signature and proves nothing; after POST /moto-api/reset-auth it checks each request's signature with botocore,
# its session token against STS, and what it asks for against IAM.
# shellcheck shell=bash

moto_fetch() {
	local dir=$1
	"$(base_python)" -m venv "$dir"
	"$dir/bin/pip" --disable-pip-version-check install -q "moto[s3]==$MOTO_VERSION" flask flask-cors
	"$dir/bin/moto_server" --help >/dev/null
}

moto_env() { echo "FLOE_MOTO=$(component_dir moto)/bin/moto_server"; }
