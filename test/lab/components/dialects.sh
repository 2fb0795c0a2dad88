# The dialects of Polaris, Lakekeeper and Gravitino, which no registry has: one process of this repository's own (dialect.py) in front of iceberg-rest.
# It proves: floe's side of their paths, prefixes, tokens, headers, grants, errors and vended credentials, with real tables behind it; not the products.
# Needs iceberg-rest and versitygw; Lakekeeper's users come from oauth2.
# shellcheck shell=bash

dialects_start() {
	STORE_KEY=$VERSITYGW_KEY STORE_SECRET=$VERSITYGW_SECRET spawn dialects "$(base_python)" -B -u "$LAB/dialect.py" --port "$PORT_DIALECTS" \
		--lake "http://127.0.0.1:$PORT_ICEBERG_REST" --store "http://127.0.0.1:$PORT_VERSITYGW" --store-region us-east-1 \
		--issuer "http://localhost:$PORT_OAUTH2" --state "$FLOE_RUN/dialects"
}

dialects_ready() { http_ok "http://127.0.0.1:$PORT_DIALECTS/lab"; }

dialects_env() {
	echo "FLOE_DIALECTS_URI=http://127.0.0.1:$PORT_DIALECTS"
	echo "FLOE_POLARIS_URI=http://127.0.0.1:$PORT_DIALECTS/api/catalog"
	echo "FLOE_LAKEKEEPER_URI=http://127.0.0.1:$PORT_DIALECTS/catalog"
	echo "FLOE_GRAVITINO_URI=http://127.0.0.1:$PORT_DIALECTS/iceberg"
}
