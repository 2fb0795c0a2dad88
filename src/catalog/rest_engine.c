/*
 * rest_engine.c: how an engine gets into the catalog that floe reads by REST: the properties of Iceberg's Java client.
 *
 * Separate from rest.c because the names are another program's, and Nessie's
 * adapter needs them without speaking this protocol itself.  Source: Iceberg
 * 1.11, org.apache.iceberg.rest.auth.AuthProperties and OAuth2Properties,
 * org.apache.iceberg.aws.AwsProperties.
 */
#include "floe.h"

#include "catalog/rest.h"

const char *
floe_rest_delegation(const FloeConn *conn, const char *own)
{
	static const char *const keys[] = {"s3_access_key_id", "gcs_token", "adls_sas_token", "adls_token"};
	const char *option = floe_conn_option(conn, "access_delegation");

	if (option != NULL)
		return strcmp(option, "none") == 0 ? NULL : option;
	/* with keys of our own, nothing the server would have to make for us */
	for (size_t i = 0; i < lengthof(keys); i++)
	{
		if (floe_conn_option(conn, keys[i]) != NULL)
			return own;
	}
	return "vended-credentials";
}

/* What signs the requests of SigV4; keys that floe has not are the engine's own business. */
static void
add_sigv4(const FloeConn *conn, FloeCatalogProperty add, void *arg)
{
	FloeSigV4Keys keys;

	floe_auth_sigv4_keys(conn, &keys);
	/* the first since Iceberg 1.9, the second before and, warning of it, after */
	add(arg, "rest.auth.type", "sigv4");
	add(arg, "rest.sigv4-enabled", "true");
	/* "oauth2" by default, which has nothing to say here */
	add(arg, "rest.auth.sigv4.delegate-auth-type", "none");
	add(arg, "rest.signing-name", floe_conn_option(conn, "sigv4_service"));
	add(arg, "rest.signing-region", keys.region);
	if (keys.access_key == NULL || keys.secret_key == NULL)
		return;
	add(arg, "rest.access-key-id", keys.access_key);
	add(arg, "rest.secret-access-key", keys.secret_key);
	if (keys.session_token != NULL)
		add(arg, "rest.session-token", keys.session_token);
}

static void
add_credentials(const FloeSession *session, FloeCatalogProperty add, void *arg)
{
	const FloeConn *conn = session->conn;
	const char *id = floe_conn_option(conn, "client_id");

	switch (session->auth)
	{
		case FLOE_AUTH_NONE:
			break;
		case FLOE_AUTH_BEARER:
			add(arg, "token", session->given_token);
			break;
		case FLOE_AUTH_OAUTH2:
			add(arg, "credential",
				id != NULL ? psprintf("%s:%s", id, floe_conn_option(conn, "client_secret"))
						   : floe_conn_option(conn, "client_secret"));
			if (floe_conn_option(conn, "scope") == NULL)
				add(arg, "scope", "catalog");
			break;
		case FLOE_AUTH_EXCHANGE:
			/*
			 * The client has no property for a token that is to be exchanged, and with "credential" it would be somebody
			 * else: it gets the token that floe was given.  Looking at the table has just shown that it is good.
			 */
			if (session->token != NULL)
				add(arg, "token", session->token);
			break;
		case FLOE_AUTH_BASIC:
			/* since Iceberg 1.9 */
			add(arg, "rest.auth.type", "basic");
			add(arg, "rest.auth.basic.username", floe_conn_option(conn, "username"));
			add(arg, "rest.auth.basic.password", floe_conn_option(conn, "password"));
			break;
		case FLOE_AUTH_SIGV4:
			add_sigv4(conn, add, arg);
			break;
	}
}

void
floe_rest_engine_properties(const FloeSession *session, const char *uri, const char *own_delegation,
							FloeCatalogProperty add, void *arg)
{
	static const struct
	{
		const char *option;
		const char *property;
	} plain[] = {
		{"warehouse", "warehouse"}, {"prefix", "prefix"},     {"oauth2_server_uri", "oauth2-server-uri"},
		{"scope", "scope"},         {"audience", "audience"}, {"resource", "resource"},
	};
	const FloeConn *conn = session->conn;
	const char *delegation = floe_rest_delegation(conn, own_delegation);

	add(arg, "uri", uri);
	for (size_t i = 0; i < lengthof(plain); i++)
	{
		if (floe_conn_option(conn, plain[i].option) != NULL)
			add(arg, plain[i].property, floe_conn_option(conn, plain[i].option));
	}
	add_credentials(session, add, arg);
	if (delegation != NULL)
		add(arg, "header.X-Iceberg-Access-Delegation", delegation);
	for (int i = 0; i < conn->noptions; i++)
	{
		if (strncmp(conn->options[i].name, "header.", 7) == 0)
			add(arg, conn->options[i].name, conn->options[i].value);
	}
	/*
	 * Lakekeeper's default with soft deletion is false, against Spark's DROP TABLE PURGE.  What floe sends deletes files on
	 * purpose: expire_snapshots would forget them and leave them where they are.
	 */
	add(arg, "s3.delete-enabled", "true");
	floe_catalog_store_properties(conn, add, arg);
}
