/*
 * engine_store.c: what engines are told about the stores of a catalog's tables, whatever the catalog.
 */
#include "floe.h"

#include "catalog/ops.h"

void
floe_catalog_store_properties(const FloeConn *conn, FloeCatalogProperty add, void *arg)
{
	static const struct
	{
		const char *option;
		const char *property;
	} plain[] = {
		{"s3_endpoint", "s3.endpoint"},
		{"s3_path_style", "s3.path-style-access"},
		{"s3_region", "client.region"},
		{"s3_access_key_id", "s3.access-key-id"},
		{"s3_secret_access_key", "s3.secret-access-key"},
		{"s3_session_token", "s3.session-token"},
	};

	for (size_t i = 0; i < lengthof(plain); i++)
	{
		if (floe_conn_option(conn, plain[i].option) != NULL)
			add(arg, plain[i].property, floe_conn_option(conn, plain[i].option));
	}
	if (floe_conn_option(conn, "s3_endpoint") != NULL || floe_conn_option(conn, "s3_access_key_id") != NULL)
	{
		add(arg, "io-impl", "org.apache.iceberg.aws.s3.S3FileIO");
		if (floe_conn_option(conn, "s3_region") == NULL)
			add(arg, "client.region", "us-east-1");
		if (floe_conn_option(conn, "s3_path_style") == NULL && floe_conn_option(conn, "s3_endpoint") != NULL)
			add(arg, "s3.path-style-access", "true");
	}
	for (int i = 0; i < conn->noptions; i++)
	{
		if (strncmp(conn->options[i].name, "engine.", 7) == 0)
			add(arg, conn->options[i].name + 7, conn->options[i].value);
	}
}
