# oauth2-mock-server: an OpenID provider (npm, 1 MB) whose tokens Nessie verifies. It takes any client and any secret.
# The issuer is http://localhost, not 127.0.0.1: tokens name it.
# shellcheck shell=bash

oauth2_fetch() { npm install --silent --no-fund --no-audit --prefix "$1" "oauth2-mock-server@$OAUTH2_MOCK_VERSION"; }

oauth2_start() { spawn oauth2 "$(component_dir oauth2)/node_modules/.bin/oauth2-mock-server" -a localhost -p "$PORT_OAUTH2"; }
oauth2_ready() { http_ok "http://localhost:$PORT_OAUTH2/.well-known/openid-configuration"; }
oauth2_env() { echo "FLOE_OAUTH2_URI=http://localhost:$PORT_OAUTH2"; }
