/*
 * conn.c: reading servers and user mappings out of the system catalogs.
 */
#include "floe.h"

#include "conn/conn.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "foreign/foreign.h"
#include "nodes/pg_list.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FILE_MAX 65536

/* Options whose value is a file that holds the secret. */
static const struct
{
	const char *file_option;
	const char *secret_option;
} secret_files[] = {
	{"token_file", "token"},
	{"client_secret_file", "client_secret"},
	{"s3_secret_access_key_file", "s3_secret_access_key"},
	{"s3_session_token_file", "s3_session_token"},
	{"password_file", "password"},
	{"subject_token_file", "subject_token"},
	{"sigv4_secret_access_key_file", "sigv4_secret_access_key"},
	{"sigv4_session_token_file", "sigv4_session_token"},
	{"gcs_token_file", "gcs_token"},
	{"adls_sas_token_file", "adls_sas_token"},
	{"adls_token_file", "adls_token"},
};

/* The owner's mapping, else that of PUBLIC; NIL when there is none. */
static List *
mapping_options(Oid server_oid, Oid owner)
{
	HeapTuple tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(owner), ObjectIdGetDatum(server_oid));
	List *result = NIL;
	Datum datum;
	bool isnull;

	if (!HeapTupleIsValid(tuple))
		tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server_oid));
	if (!HeapTupleIsValid(tuple))
		return NIL;
	datum = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple, Anum_pg_user_mapping_umoptions, &isnull);
	if (!isnull)
		result = untransformRelOptions(datum);
	ReleaseSysCache(tuple);
	return result;
}

/* A secret from a file: one line, not readable by others, as libpq wants it of its password file. */
static char *
read_secret(const char *option, const char *path, FloeStatus *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat info;
	char *text;
	ssize_t len;

	if (fd < 0)
	{
		floe_fail_detail(st, FLOE_ERR_CONFIG, strerror(errno), "file of option \"%s\" cannot be opened", option);
		return NULL;
	}
	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > SECRET_FILE_MAX)
	{
		close(fd);
		floe_fail(st, FLOE_ERR_CONFIG, "file of option \"%s\" is not a regular file of at most 64 kB", option);
		return NULL;
	}
	if ((info.st_mode & S_IRWXO) != 0 || ((info.st_mode & S_IRWXG) != 0 && info.st_uid != 0))
	{
		close(fd);
		floe_fail(st, FLOE_ERR_DENIED, "file of option \"%s\" can be read by others; make it mode 0600", option);
		return NULL;
	}
	text = palloc(SECRET_FILE_MAX + 1);
	len = read(fd, text, SECRET_FILE_MAX);
	close(fd);
	if (len <= 0)
	{
		floe_fail(st, FLOE_ERR_CONFIG, "file of option \"%s\" is empty", option);
		return NULL;
	}
	text[len] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return text;
}

static bool
add_option(FloeConn *conn, const char *name, const char *value, FloeOptionContext context, FloeStatus *st)
{
	const FloeConnOptionDef *known = floe_conn_option_find(conn->wrapper, context, name);
	FloeConnOption *o = &conn->options[conn->noptions];

	o->name = name;
	o->value = value;
	o->secret = known == NULL || known->secret;
	o->from_mapping = context == FLOE_CONTEXT_MAPPING;
	for (size_t i = 0; i < lengthof(secret_files); i++)
	{
		if (strcmp(name, secret_files[i].file_option) == 0)
		{
			o->name = secret_files[i].secret_option;
			o->value = read_secret(name, value, st);
			o->secret = true;
			if (o->value == NULL)
				return false;
		}
	}
	conn->noptions++;
	return true;
}

static bool
add_options(FloeConn *conn, List *defs, FloeOptionContext context, FloeStatus *st)
{
	ListCell *cell;

	foreach (cell, defs)
	{
		DefElem *def = (DefElem *) lfirst(cell);

		if (!add_option(conn, def->defname, defGetString(def), context, st))
			return false;
	}
	return true;
}

FloeConn *
floe_conn_resolve(FloeWrapper wrapper, const char *server_name, FloeStatus *st)
{
	ForeignServer *server = GetForeignServerByName(server_name, true);
	ForeignDataWrapper *fdw = server != NULL ? GetForeignDataWrapper(server->fdwid) : NULL;
	FloeConn *conn;
	List *mapping;

	if (server == NULL || strcmp(fdw->fdwname, floe_wrapper_name(wrapper)) != 0)
	{
		floe_fail(st, FLOE_ERR_CONFIG, "there is no server \"%s\" of wrapper %s", server_name,
				  floe_wrapper_name(wrapper));
		return NULL;
	}
	mapping = mapping_options(server->serverid, server->owner);
	conn = palloc0(sizeof(FloeConn));
	conn->wrapper = wrapper;
	conn->server_oid = server->serverid;
	conn->owner = server->owner;
	conn->owner_is_superuser = superuser_arg(server->owner);
	conn->server_name = pstrdup(server->servername);
	conn->server_type = pstrdup(server->servertype != NULL ? server->servertype : "");
	conn->options = palloc0(sizeof(FloeConnOption) * (list_length(server->options) + list_length(mapping) + 1));
	if (!add_options(conn, server->options, FLOE_CONTEXT_SERVER, st) ||
		!add_options(conn, mapping, FLOE_CONTEXT_MAPPING, st))
		return NULL;
	return conn;
}

static uint32 generation = 1;

static void
on_change(Datum arg, int cache, uint32 hash)
{
	generation++;
}

uint32
floe_conn_generation(void)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(FOREIGNSERVEROID, on_change, (Datum) 0);
		CacheRegisterSyscacheCallback(USERMAPPINGOID, on_change, (Datum) 0);
	}
	registered = true;
	return generation;
}

const char *
floe_conn_option(const FloeConn *conn, const char *name)
{
	/* the mapping comes last and goes first */
	for (int i = conn->noptions - 1; i >= 0; i--)
	{
		if (strcmp(conn->options[i].name, name) == 0)
			return conn->options[i].value;
	}
	return NULL;
}

bool
floe_conn_bool(const FloeConn *conn, const char *name, bool absent)
{
	const char *value = floe_conn_option(conn, name);

	return value != NULL ? strcmp(value, "true") == 0 : absent;
}

int64_t
floe_conn_count(const FloeConn *conn, const char *name, int64_t absent)
{
	const char *value = floe_conn_option(conn, name);

	return value != NULL ? strtoll(value, NULL, 10) : absent;
}
