/*
 * options.c: the option table and the checks of single values.
 */
#include "floe.h"

#include "conn/options.h"

#include "base/location.h"
#include "base/url.h"

#include <string.h>

#define SERVER_OF(types) FLOE_WRAPPER_CATALOG, FLOE_CONTEXT_SERVER, types
#define MAPPING_OF(types) FLOE_WRAPPER_CATALOG, FLOE_CONTEXT_MAPPING, types
#define CATALOG_SERVER SERVER_OF(NULL)
#define CATALOG_MAPPING MAPPING_OF(NULL)
#define ENGINE_SERVER_OF(types) FLOE_WRAPPER_ENGINE, FLOE_CONTEXT_SERVER, types
#define ENGINE_MAPPING_OF(types) FLOE_WRAPPER_ENGINE, FLOE_CONTEXT_MAPPING, types
#define ENGINE_SERVER ENGINE_SERVER_OF(NULL)
#define ENGINE_MAPPING ENGINE_MAPPING_OF(NULL)

/* Servers that speak HTTP; a metastore may. */
#define HTTP "rest|nessie|hive"

/* Engines whose sessions are Spark's. */
#define SPARK "spark-thrift"

/* wrapper, context and types, name, type, required, secret, superuser only, min, max, choices, description */
static const FloeConnOptionDef options[] = {
	{CATALOG_SERVER, "uri", FLOE_VALUE_URI, true, false, false, 0, 0, NULL,
	 "place of the catalog. rest: base URL, without /v1; nessie: that of the API, .../api/v2; hive: "
	 "thrift://host:port, or that of the metastore's own database; "
	 "jdbc: postgresql://host:port/database, or postgresql:/// for this database"},
	{SERVER_OF("hive|jdbc"), "catalog_name", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "jdbc: value of column catalog_name, default: the only one there is; hive: catalog of the metastore, default "
	 "hive"},
	{SERVER_OF("hive"), "thrift_transport", FLOE_VALUE_ENUM, false, false, false, 0, 0, "buffered|framed",
	 "hive: metastore.thrift.framed.transport.enabled of the metastore; default buffered"},
	{SERVER_OF("hive"), "notification_log", FLOE_VALUE_ENUM, false, false, false, 0, 0, "auto|on|off",
	 "hive: believe the notification log of the metastore: on, off, or auto, where the metastore says that it has a "
	 "DbNotificationListener; default auto"},
	{SERVER_OF("hive|jdbc"), "schema", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "jdbc: schema of table iceberg_tables; hive: of the metastore's tables, where uri is a database; default public"},
	{CATALOG_SERVER, "warehouse", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "warehouse name or location sent to /v1/config"},
	{SERVER_OF("rest|nessie"), "prefix", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "path prefix, where the catalog does not tell it; as it stands in a URL"},
	{SERVER_OF("nessie"), "ref", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "Nessie: branch or tag; default: the server's default branch"},
	{SERVER_OF(HTTP), "oauth2_server_uri", FLOE_VALUE_URL, false, false, false, 0, 0, NULL,
	 "token endpoint; default: the catalog's own v1/oauth/tokens"},
	{SERVER_OF(HTTP), "subject_token_type", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "of a token exchange (RFC 8693); default urn:ietf:params:oauth:token-type:access_token"},
	{SERVER_OF("rest|nessie"), "sigv4_service", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "sign requests to the catalog (AWS Signature Version 4) for this service: glue, s3tables"},
	{SERVER_OF("rest|nessie"), "sigv4_region", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "region of these signatures; default: s3_region, else us-east-1"},
	{SERVER_OF(HTTP), "scope", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL, "OAuth2 scope; default: catalog"},
	{SERVER_OF(HTTP), "audience", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL, "OAuth2 audience"},
	{SERVER_OF(HTTP), "resource", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL, "OAuth2 resource"},
	{SERVER_OF("rest|nessie"), "access_delegation", FLOE_VALUE_ENUM, false, false, false, 0, 0,
	 "none|vended-credentials|remote-signing|client-managed",
	 "header X-Iceberg-Access-Delegation; default: vended-credentials without keys of a store in the user mapping, "
	 "else none"},
	{SERVER_OF(HTTP), "header.", FLOE_VALUE_HEADER, false, false, false, 0, 0, NULL,
	 "header sent with every request to the catalog; not for secrets"},
	{SERVER_OF("rest|nessie"), "page_size", FLOE_VALUE_COUNT, false, false, false, 1, 10000, NULL,
	 "entries asked for per page of a listing; default 1000"},
	{SERVER_OF("rest"), "metadata_source", FLOE_VALUE_ENUM, false, false, false, 0, 0, "catalog|store",
	 "where table metadata is read: the catalog's answer, or the metadata file in the store; default catalog"},
	{CATALOG_SERVER, "s3_endpoint", FLOE_VALUE_URL, false, false, false, 0, 0, NULL,
	 "S3 endpoint; default: what the catalog says, else Amazon's"},
	{CATALOG_SERVER, "s3_region", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "S3 region; default: what the catalog says, else us-east-1"},
	{CATALOG_SERVER, "s3_path_style", FLOE_VALUE_BOOL, false, false, false, 0, 0, NULL,
	 "bucket in the path instead of the host name; default: what the catalog says, else true with s3_endpoint"},
	{CATALOG_SERVER, "gcs_endpoint", FLOE_VALUE_URL, false, false, false, 0, 0, NULL,
	 "endpoint of Google Cloud Storage's JSON API; default: Google's, or for vended tokens what the catalog says"},
	{CATALOG_SERVER, "adls_endpoint", FLOE_VALUE_URL, false, false, false, 0, 0, NULL,
	 "endpoint of Azure Data Lake Storage for all accounts; default: the host in the location"},
	{CATALOG_SERVER, "allowed_locations", FLOE_VALUE_LOCATIONS, false, false, false, 0, 0, NULL,
	 "locations (s3://bucket/folder, ...), separated by commas, below which the catalog's files may be; default: "
	 "anywhere that credentials, floe.allowed_hosts and floe.allowed_file_roots let floe read"},
	{CATALOG_SERVER, "ca_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "PEM file of certificate authorities, instead of the system's"},
	{CATALOG_SERVER, "list_interval", FLOE_VALUE_INTERVAL, false, false, false, 0, 0, NULL,
	 "how often the catalog is listed for new and dropped tables; default 5 minutes"},
	{SERVER_OF("rest"), "policy_source", FLOE_VALUE_ENUM, false, false, false, 0, 0, "polaris",
	 "rest: maintenance policies of the catalog are read with every listing and followed; default: they are not"},
	{SERVER_OF("rest"), "policy_interval", FLOE_VALUE_INTERVAL, false, false, false, 0, 0, NULL,
	 "how often all tables are asked for policies of their own, with policy_source; default 1 day"},
	{CATALOG_SERVER, "max_in_flight", FLOE_VALUE_COUNT, false, false, false, 1, 10000, NULL,
	 "most tables of the catalog that are looked at, at a time; default 64"},
	{CATALOG_SERVER, "max_rate", FLOE_VALUE_COUNT, false, false, false, 1, 100000, NULL,
	 "most tables of the catalog that are looked at, a second; default: no limit"},
	{CATALOG_SERVER, "max_operations", FLOE_VALUE_COUNT, false, false, false, 1, 1000, NULL,
	 "most operations on the catalog's tables at a time, on all engines together; default: no limit"},
	{CATALOG_SERVER, "engine_catalog", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "name under which engines have this catalog configured; without it floe defines the catalog in each session"},
	{CATALOG_SERVER, "engine.", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "Iceberg catalog property for engines, over what floe derives (engine.uri where they see another host)"},
	{MAPPING_OF(HTTP), "token", FLOE_VALUE_HEADER, false, true, false, 0, 0, NULL, "bearer token"},
	{MAPPING_OF(HTTP), "token_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the bearer token"},
	{MAPPING_OF(HTTP), "client_id", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL, "OAuth2 client id"},
	{MAPPING_OF(HTTP), "client_secret", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL, "OAuth2 client secret"},
	{MAPPING_OF(HTTP), "client_secret_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the OAuth2 client secret"},
	{MAPPING_OF(HTTP), "subject_token", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL,
	 "token that is exchanged for one of the catalog (RFC 8693)"},
	{MAPPING_OF(HTTP), "subject_token_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the token to be exchanged; read again with every connection"},
	{CATALOG_MAPPING, "username", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "user of HTTP Basic, or of a database"},
	{CATALOG_MAPPING, "password", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL, "password of that user"},
	{CATALOG_MAPPING, "password_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL, "file that holds the password"},
	{MAPPING_OF("rest|nessie"), "sigv4_access_key_id", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "access key for sigv4_service; default: the S3 keys"},
	{MAPPING_OF("rest|nessie"), "sigv4_secret_access_key", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL,
	 "secret key for sigv4_service"},
	{MAPPING_OF("rest|nessie"), "sigv4_secret_access_key_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the secret key for sigv4_service"},
	{MAPPING_OF("rest|nessie"), "sigv4_session_token", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL,
	 "session token for sigv4_service"},
	{MAPPING_OF("rest|nessie"), "sigv4_session_token_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the session token for sigv4_service"},
	{MAPPING_OF(HTTP), "header.", FLOE_VALUE_HEADER, false, true, false, 0, 0, NULL,
	 "secret header sent with every request to the catalog"},
	{CATALOG_MAPPING, "engine.", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL,
	 "secret Iceberg catalog property for engines"},
	{CATALOG_MAPPING, "s3_access_key_id", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "S3 access key; without it the catalog's vended credentials are used"},
	{CATALOG_MAPPING, "s3_secret_access_key", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL, "S3 secret key"},
	{CATALOG_MAPPING, "s3_secret_access_key_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the S3 secret key"},
	{CATALOG_MAPPING, "s3_session_token", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL, "S3 session token"},
	{CATALOG_MAPPING, "s3_session_token_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the S3 session token"},
	{CATALOG_MAPPING, "gcs_token", FLOE_VALUE_HEADER, false, true, false, 0, 0, NULL,
	 "bearer token for Google Cloud Storage; without it the catalog's vended token is used"},
	{CATALOG_MAPPING, "gcs_token_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the bearer token for Google Cloud Storage; read again with every connection"},
	{CATALOG_MAPPING, "adls_sas_token", FLOE_VALUE_QUERY, false, true, false, 0, 0, NULL,
	 "shared access signature for Azure storage, percent-encoded as Azure gives it; without it and adls_token what the "
	 "catalog vended is used"},
	{CATALOG_MAPPING, "adls_sas_token_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the shared access signature; read again with every connection"},
	{CATALOG_MAPPING, "adls_token", FLOE_VALUE_HEADER, false, true, false, 0, 0, NULL,
	 "bearer token for Azure storage"},
	{CATALOG_MAPPING, "adls_token_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "file that holds the bearer token for Azure storage; read again with every connection"},
	{ENGINE_SERVER, "url", FLOE_VALUE_URL, true, false, false, 0, 0, NULL,
	 "endpoint; for spark-thrift the HTTP path of the Thrift Server, such as http://host:10001/cliservice; for trino "
	 "the "
	 "coordinator, such as https://host:8443"},
	{ENGINE_SERVER, "max_operations", FLOE_VALUE_COUNT, false, false, false, 1, 1000, NULL,
	 "operations at one time; default 2"},
	{ENGINE_SERVER, "memory_gb", FLOE_VALUE_NUMBER, false, false, false, 0, 0, NULL,
	 "memory of one operation, for estimates in GB-hours; default 2"},
	{ENGINE_SERVER, "catalog.", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "catalog.<catalog server>: name under which this engine has that catalog; default: the catalog's engine_catalog"},
	{ENGINE_SERVER_OF(SPARK), "pool", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "fair scheduler pool of the engine"},
	{ENGINE_SERVER, "ca_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL,
	 "PEM file of certificate authorities, instead of the system's"},
	{ENGINE_SERVER_OF(SPARK), "spark.", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "Spark setting of every session; not for secrets"},
	{ENGINE_SERVER_OF("trino"), "session.", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL,
	 "session.<property>: session property of every statement, such as session.lake.target_max_file_size; not for "
	 "secrets"},
	{ENGINE_MAPPING, "username", FLOE_VALUE_TEXT, false, false, false, 0, 0, NULL, "user; default floe"},
	{ENGINE_MAPPING, "password", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL, "password"},
	{ENGINE_MAPPING, "password_file", FLOE_VALUE_FILE, false, false, true, 0, 0, NULL, "file that holds the password"},
	{ENGINE_MAPPING, "token", FLOE_VALUE_HEADER, false, true, false, 0, 0, NULL,
	 "bearer token, instead of user and password"},
	{ENGINE_MAPPING_OF(SPARK), "spark.", FLOE_VALUE_TEXT, false, true, false, 0, 0, NULL,
	 "secret Spark setting of every session"},
};

const FloeConnOptionDef *
floe_conn_options(int *count)
{
	*count = lengthof(options);
	return options;
}

static bool
is_family(const char *name)
{
	return name[strlen(name) - 1] == '.';
}

const FloeConnOptionDef *
floe_conn_option_find(FloeWrapper wrapper, FloeOptionContext context, const char *name)
{
	for (size_t i = 0; i < lengthof(options); i++)
	{
		const FloeConnOptionDef *o = &options[i];

		if (o->wrapper != wrapper || o->context != context)
			continue;
		if (is_family(o->name) ? strncmp(name, o->name, strlen(o->name)) == 0 && name[strlen(o->name)] != '\0'
							   : strcmp(name, o->name) == 0)
			return o;
	}
	return NULL;
}

bool
floe_conn_option_is_for(const FloeConnOptionDef *option, const char *type)
{
	size_t len = strlen(type);

	for (const char *p = option->types; p != NULL; p = strchr(p, '|') != NULL ? strchr(p, '|') + 1 : NULL)
	{
		if (strncmp(p, type, len) == 0 && (p[len] == '|' || p[len] == '\0'))
			return true;
	}
	return option->types == NULL;
}

const char *
floe_conn_value_name(FloeConnValue type)
{
	static const char *const names[] = {
		[FLOE_VALUE_TEXT] = "text",
		[FLOE_VALUE_URL] = "url",
		[FLOE_VALUE_URI] = "uri",
		[FLOE_VALUE_BOOL] = "boolean",
		[FLOE_VALUE_COUNT] = "integer",
		[FLOE_VALUE_NUMBER] = "number",
		[FLOE_VALUE_INTERVAL] = "interval",
		[FLOE_VALUE_FILE] = "absolute path",
		[FLOE_VALUE_ENUM] = "choice",
		[FLOE_VALUE_HEADER] = "header value",
		[FLOE_VALUE_QUERY] = "query of a url",
		[FLOE_VALUE_LOCATIONS] = "locations",
	};

	return names[type];
}

const char *
floe_wrapper_name(FloeWrapper wrapper)
{
	return wrapper == FLOE_WRAPPER_CATALOG ? "floe_catalog" : "floe_engine";
}

void
floe_conn_options_list(FloeBuf *out, FloeWrapper wrapper, FloeOptionContext context)
{
	bool first = true;

	for (size_t i = 0; i < lengthof(options); i++)
	{
		if (options[i].wrapper != wrapper || options[i].context != context)
			continue;
		floe_buf_printf(out, "%s%s%s", first ? "" : ", ", options[i].name, is_family(options[i].name) ? "*" : "");
		first = false;
	}
}

static bool
check_choice(const FloeConnOptionDef *option, const char *name, const char *value, FloeStatus *st)
{
	size_t len = strlen(value);
	char valid[200];
	size_t n;

	for (const char *p = option->choices; p != NULL; p = strchr(p, '|') != NULL ? strchr(p, '|') + 1 : NULL)
	{
		if (strncmp(p, value, len) == 0 && (p[len] == '|' || p[len] == '\0'))
			return true;
	}
	n = (size_t) snprintf(valid, sizeof(valid), "Valid values are: ");
	for (const char *p = option->choices; *p != '\0' && n + 4 < sizeof(valid); p++)
		n += (size_t) snprintf(valid + n, sizeof(valid) - n, *p == '|' ? ", " : "%c", *p);
	snprintf(valid + n, sizeof(valid) - n, ".");
	return floe_fail_detail(st, FLOE_ERR_CONFIG, valid, "option \"%s\": \"%.100s\" is not a valid value", name, value);
}

static bool
check_count(const FloeConnOptionDef *option, const char *name, const char *value, FloeStatus *st)
{
	char *end;
	long long n = strtoll(value, &end, 10);

	if (*value == '\0' || *end != '\0' || n < option->min || n > option->max)
		return floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" must be a whole number from %lld to %lld", name,
						 (long long) option->min, (long long) option->max);
	return true;
}

static bool
check_visible(const char *name, const char *value, FloeStatus *st)
{
	for (const char *p = value; *p != '\0'; p++)
	{
		if ((unsigned char) *p < 0x20 || *p == 0x7F)
			return floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" holds a control character", name);
	}
	return true;
}

/* RFC 9110, "token" */
static bool
check_header_name(const char *name, FloeStatus *st)
{
	static const char valid[] = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	if (strspn(name, valid) != strlen(name))
		return floe_fail(st, FLOE_ERR_CONFIG, "\"%s\" is not the name of an HTTP header", name);
	return true;
}

/*
 * Everybody can read the options of a server, so what is a secret by its name
 * is refused in its families: the same family of the USER MAPPING takes it.
 */
static bool
check_no_secret(const char *name, FloeStatus *st)
{
	static const char *const endings[] = {"secret",        "secret-key", "secret.key",  "secret-access-key",
										  "secretkey",     "password",   "passwd",      "token",
										  "credential",    "api-key",    "apikey",      "api_key",
										  "authorization", "cookie",     "private-key", "private.key"};
	size_t len = strlen(name);

	for (size_t i = 0; i < lengthof(endings); i++)
	{
		size_t n = strlen(endings[i]);

		if (len >= n && pg_strcasecmp(name + len - n, endings[i]) == 0)
			return floe_fail_detail(st, FLOE_ERR_CONFIG,
									"Everybody can read the options of a SERVER; the USER MAPPING has the same option.",
									"option \"%s\" looks like a secret", name);
	}
	return true;
}

/* Of a protocol that is not HTTP; its adapter takes it apart. Never a user and password: everybody can read it. */
static bool
check_uri(const char *name, const char *value, FloeStatus *st)
{
	static const char *const schemes[] = {"thrift://", "postgresql://", "postgres://"};
	FloeUrl url;

	for (size_t i = 0; i < lengthof(schemes); i++)
	{
		if (strncmp(value, schemes[i], strlen(schemes[i])) != 0)
			continue;
		for (const char *p = value; *p != '\0'; p++)
		{
			if ((unsigned char) *p <= ' ' || (unsigned char) *p >= 0x7F)
				return floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" holds a character that must be percent-encoded",
								 name);
		}
		if (strchr(value, '@') != NULL || strstr(value, "password=") != NULL)
			return floe_fail_detail(st, FLOE_ERR_CONFIG, "The USER MAPPING has \"username\" and \"password\".",
									"option \"%s\" must not hold a user or a password", name);
		return true;
	}
	return floe_url_parse(value, &url, st) || floe_status_prefix(st, "option \"%s\"", name);
}

bool
floe_conn_option_check(const FloeConnOptionDef *option, const char *name, const char *value, FloeStatus *st)
{
	FloeUrl url;
	double number;
	char *end;

	if (*value == '\0')
		return floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" is empty", name);
	if (!check_visible(name, value, st) || (is_family(option->name) && !option->secret && !check_no_secret(name, st)) ||
		(strcmp(option->name, "header.") == 0 && !check_header_name(name + strlen(option->name), st)))
		return false;
	switch (option->type)
	{
		case FLOE_VALUE_URL:
			if (!floe_url_parse(value, &url, st))
				return floe_status_prefix(st, "option \"%s\"", name);
			return true;
		case FLOE_VALUE_URI:
			return check_uri(name, value, st);
		case FLOE_VALUE_BOOL:
			if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
				return floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" must be true or false", name);
			return true;
		case FLOE_VALUE_COUNT:
			return check_count(option, name, value, st);
		case FLOE_VALUE_NUMBER:
			number = strtod(value, &end);
			if (strspn(value, "0123456789.") != strlen(value) || *end != '\0' || number <= 0)
				return floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" must be a number above zero", name);
			return true;
		case FLOE_VALUE_FILE:
			if (value[0] != '/')
				return floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" must be an absolute path", name);
			return true;
		case FLOE_VALUE_ENUM:
			return check_choice(option, name, value, st);
		case FLOE_VALUE_QUERY:
			return floe_url_is_query(value) ||
				   floe_fail(st, FLOE_ERR_CONFIG, "option \"%s\" holds a character that must be percent-encoded", name);
		case FLOE_VALUE_LOCATIONS:
			return floe_location_check_list(value, st) || floe_status_prefix(st, "option \"%s\"", name);
		case FLOE_VALUE_TEXT:
		case FLOE_VALUE_INTERVAL:
		case FLOE_VALUE_HEADER:
			return true;
	}
	return true;
}
