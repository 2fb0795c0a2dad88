/*
 * execute_target.c: an engine connection, and the catalog defined in its session.
 *
 * The catalog goes to the engine with the session, credentials included, so an
 * engine needs no configuration of its own; unless an option names one that the
 * engine has, or its sessions cannot be given one (Trino).
 */
#include "floe.h"

#include "pass/execute.h"

#include "engine/spark_catalog.h"
#include "guc.h"

#include "utils/memutils.h"

/*
 * One that the engine has is named by the engine's option catalog.<name>, by
 * the catalog's engine_catalog, or by the catalog itself; any other is defined
 * in the session, under a name of floe's.
 */
const char *
floe_run_engine_catalog(const FloeOpRun *run, bool *is_there)
{
	const FloePassCatalog *catalog = run->catalog;
	const FloeCatalogOps *ops = catalog->catalog->ops;
	const char *name = floe_conn_option(run->engine_conn, psprintf("catalog.%s", catalog->server_name));
	char *own;

	if (name == NULL)
		name = floe_conn_option(catalog->conn, "engine_catalog");
	*is_there = name != NULL || !run->engine->defines_catalog;
	if (name == NULL && *is_there)
		return catalog->server_name;
	if (name == NULL && ops->engine_name != NULL)
		name = ops->engine_name(catalog->catalog);
	if (name != NULL)
		return name;
	own = psprintf("floe_%s", catalog->server_name);
	for (char *p = own; *p != '\0'; p++)
	{
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9')))
			*p = '_';
	}
	return own;
}

typedef struct Collected
{
	FloeKeyValue items[64];
	int count;
	bool overflow;
} Collected;

/* A later value of the same key replaces an earlier one: engine.* options come last. */
static void
collect(void *arg, const char *key, const char *value)
{
	Collected *c = arg;

	for (int i = 0; i < c->count; i++)
	{
		if (strcmp(c->items[i].key, key) == 0)
		{
			c->items[i].value = value;
			return;
		}
	}
	if (c->count == lengthof(c->items))
	{
		c->overflow = true;
		return;
	}
	c->items[c->count].key = key;
	c->items[c->count].value = value;
	c->count++;
}

static bool
add_catalog(FloeOpRun *run, FloeConfList *conf, FloeStatus *st)
{
	const FloeConn *catalog = run->catalog->conn;
	bool is_there;
	const char *name = floe_run_engine_catalog(run, &is_there);
	Collected properties = {0};

	run->target.catalog = name;
	if (is_there)
		return run->engine->dialect != FLOE_DIALECT_SPARK || floe_spark_catalog_name_check(name, st);
	run->catalog->catalog->ops->engine_properties(run->catalog->catalog, collect, &properties);
	if (properties.overflow)
		return floe_fail(st, FLOE_ERR_CONFIG, "server \"%s\" has too many options for an engine", catalog->server_name);
	return floe_spark_catalog_conf(run->run.arena, name, run->catalog->catalog->ops->engine_type, properties.items,
								   properties.count, conf, st);
}

/* What came out of a secret option is a secret under any key. */
static void
mark_secrets(FloeConfList *conf, const FloeConn *conn)
{
	for (int i = 0; i < conf->count; i++)
	{
		for (int j = 0; j < conn->noptions; j++)
		{
			if (conn->options[j].secret && strcmp(conf->items[i].value, conn->options[j].value) == 0)
				conf->items[i].is_secret = true;
		}
	}
}

bool
floe_run_target(FloeOpRun *run, FloeStatus *st)
{
	const FloeConn *engine = run->engine_conn;
	const char *pool = floe_conn_option(engine, "pool");
	FloeConfList conf = {0};

	if (!add_catalog(run, &conf, st))
		return false;
	if (pool != NULL && !floe_conf_add(run->run.arena, &conf, "spark.sql.thriftserver.scheduler.pool", pool, st))
		return false;
	for (int i = 0; i < engine->noptions; i++)
	{
		if ((strncmp(engine->options[i].name, "spark.", 6) == 0 ||
			 strncmp(engine->options[i].name, "kyuubi.", 7) == 0) &&
			!floe_conf_add(run->run.arena, &conf, engine->options[i].name, engine->options[i].value, st))
			return false;
	}
	mark_secrets(&conf, run->catalog->conn);
	mark_secrets(&conf, engine);
	run->target.conn = engine;
	run->target.url = floe_conn_option(engine, "url");
	run->target.user = floe_conn_option(engine, "username");
	run->target.password = floe_conn_option(engine, "password");
	run->target.token = floe_conn_option(engine, "token");
	run->target.ca_file = floe_conn_option(engine, "ca_file");
	run->target.session_conf = conf.items;
	run->target.nsession_conf = conf.count;
	run->target.request_timeout_ms = floe_request_timeout_ms;
	return true;
}
